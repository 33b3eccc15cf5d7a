"""Open hints on disk: one file a stream, replaced whole, so a kill leaves the old one or the new one.

`<home>/inbox/<source>/open/<stream>.json` is a hint nobody has pulled for yet; `ids` and `ids.old` remember the
deliveries of the last days. Nothing of what a webhook carried is kept but its hash. What is kept does not grow:
a further delivery for a stream only raises the count of its hint.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

# Deliveries remembered a source, in two files of half as many: vendors repeat within hours, not weeks.
REMEMBERED = 20_000
EVERY_STREAM = "_all"  # no stream can be called so


@dataclass(frozen=True)
class Hint:
    """`count` deliveries since `first_at` say that `stream` (None: any) of `source` has changed; the last is named."""

    source: str
    stream: str | None
    id: str
    received_at: str
    first_at: str
    sha256: str
    count: int


def receive(
    home: Path, source: str, stream: str | None, delivery: str | None, sha256: str, now: datetime
) -> bool:
    """Keep a hint; on return it is on disk. Returns False for a delivery that is known already.

    Without an id of its own a delivery is known only while a hint with the same content is open, and even then
    the hint is renewed: equal contents may be two events, and a pull may have begun between them.
    """
    folder = home / "inbox" / source
    with _locked(folder):
        seen = None if delivery is None else hashlib.sha256(f"{stream}|{delivery}".encode()).hexdigest()[:32]
        if seen is not None and seen in _remembered(folder):
            return False
        file = _file(folder, stream)
        open_hint = _read(file)
        moment = now.isoformat()
        hint = Hint(
            source=source,
            stream=stream,
            id=delivery or sha256,
            received_at=moment,
            first_at=open_hint.first_at if open_hint else moment,
            sha256=sha256,
            count=open_hint.count + 1 if open_hint else 1,
        )
        # First the hint, then the id: killed between the two, the sender repeats and the hint is counted twice.
        # The other way round the repetition would be taken for known, and the hint would be lost.
        _write(file, json.dumps(asdict(hint), ensure_ascii=False))
        if seen is not None:
            _remember(folder, seen)
        return seen is not None or open_hint is None or open_hint.sha256 != sha256


def open_hints(home: Path) -> list[Hint]:
    """Hints that no pull has answered yet, by source and stream. Read them before the pull begins."""
    files = sorted((home / "inbox").glob("*/open/[!.]*.json"))
    return [hint for hint in map(_read, files) if hint is not None]


def settle(home: Path, hints: Iterable[Hint]) -> int:
    """Close hints after a successful pull; those renewed since they were read stay open. Returns how many closed."""
    closed = 0
    for hint in hints:
        folder = home / "inbox" / hint.source
        if not folder.is_dir():
            continue
        with _locked(folder):
            file = _file(folder, hint.stream)
            if _read(file) == hint:
                file.unlink()
                closed += 1
    return closed


def hinted_streams(hints: Iterable[Hint], streams: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
    """Streams to pull by source: of `streams` (those promised today), the ones the hints speak of."""
    wanted: dict[str, set[str]] = {}
    for hint in hints:
        promised = set(streams.get(hint.source, ()))
        named = promised if hint.stream is None else promised & {hint.stream}
        if named:
            wanted.setdefault(hint.source, set()).update(named)
    return {source: frozenset(names) for source, names in sorted(wanted.items())}


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """One writer a source at a time, among threads and processes; the lock dies with its holder."""
    (folder / "open").mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _file(folder: Path, stream: str | None) -> Path:
    return folder / "open" / f"{stream or EVERY_STREAM}.json"


def _read(file: Path) -> Hint | None:
    try:
        return Hint(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write(file: Path, text: str) -> None:
    part = file.with_name(f".{file.name}.part")
    with _private(part, os.O_TRUNC) as handle:
        handle.write(text.encode())
        handle.flush()
        os.fsync(handle.fileno())
    part.replace(file)
    _sync(file.parent)


def _private(path: Path, how: int) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600), "wb")


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remembered(folder: Path) -> set[str]:
    """Ids of the last deliveries; the end of a line cut by a kill is no id of any."""
    found: set[str] = set()
    for name in ("ids", "ids.old"):
        try:
            found.update((folder / name).read_text(encoding="ascii", errors="replace").split())
        except FileNotFoundError:
            continue
    return found


def _remember(folder: Path, seen: str) -> None:
    file = folder / "ids"
    line_length = len(seen) + 2
    if file.is_file() and file.stat().st_size >= REMEMBERED // 2 * line_length:
        file.replace(folder / "ids.old")
    with _private(file, os.O_APPEND) as handle:
        # A line of its own even after one that was cut.
        handle.write(f"\n{seen}\n".encode())
        handle.flush()
        os.fsync(handle.fileno())
