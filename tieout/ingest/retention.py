"""Retention: what may leave the landing without changing what a replay gives.

Older batches of a stream are folded into one that holds every version they led to (`fold`), after it was proved
that the stream comes out the same with it as without it. Evidence (pages and files as received) and the hashes
that only the next pull needed may go by age. The newest batch of a stream, the newest of each file, and what
waits in quarantine or was decided upon always stay as they came. Decisions are never touched.

Killed at any point, a stream has its old batches or the one that stands for them: that one appears by one rename,
and from then on the old ones count for nothing, whether or not they are deleted yet.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Source
from tieout.engine import INGEST_MEMORY, connect, literal
from tieout.fingerprint import table_hash
from tieout.ingest.errors import IngestError
from tieout.ingest.fold import FOLDED, LEDGER, fold
from tieout.ingest.landing import MANIFEST, WHOLE_TABLE, Landing, Manifest
from tieout.ingest.ledger import ensure_ledger
from tieout.ingest.load import load_batch, loadable
from tieout.ingest.tables import ensure_raw_tables, history_table

if TYPE_CHECKING:
    import duckdb

WINDOW = "window "
_LEFT_OUT = {"batch": "exclude (loaded_at)"}


class RetentionError(IngestError):
    """A stream does not come out the same after compaction; its batches were left as they are."""


@dataclass(frozen=True)
class Foldable:
    """Batches of one stream, oldest first, that one batch can stand for; `bytes` they take now."""

    source: str
    stream: str
    batches: tuple[Manifest, ...]
    bytes: int


@dataclass(frozen=True)
class Compacted:
    """What one stream gave back: `batches` folded into one, `bytes` before and after, and how it was proved."""

    source: str
    stream: str
    batches: int
    bytes_before: int
    bytes_after: int
    seconds: float = 0.0

    @property
    def freed(self) -> int:
        return self.bytes_before - self.bytes_after


# --- compaction -----------------------------------------------------------------------------------


def foldable(landing: Landing, source: str, stream: str, before: datetime) -> Foldable | None:
    """The oldest batches of a stream, read before `before`, that can be folded; None if that would be fewer than two.

    Not among them: the newest batch, the newest that is no window (the next pull goes on from it), the newest
    of each file, and a batch that is held, with all that came after it.
    """
    batches = landing.batches(source, stream)
    newest: dict[str, str] = {}
    accepted = {item.batch_id for item in loadable(landing, source, stream)}
    for item in batches:
        if not item.folds and item.batch_id in accepted:
            newest["file " + item.scope if item.complete and item.scope != WHOLE_TABLE else "any"] = (
                item.batch_id
            )
            if not item.scope.startswith(WINDOW):
                newest["pull"] = item.batch_id
    kept = {*newest.values()} | ({batches[-1].batch_id} if batches else set())
    prefix: list[Manifest] = []
    for item in batches:
        if item.batch_id in kept or item.batch_id not in accepted:
            break
        if datetime.fromisoformat(item.extracted_at) >= before:
            break
        prefix.append(item)
    if len(prefix) < 2:
        return None
    return Foldable(source, stream, tuple(prefix), sum(folder_bytes(landing.folder(item)) for item in prefix))


def compact(
    sources: Mapping[str, Source],
    landing: Landing,
    before: datetime,
    now: datetime,
    report: Callable[[Compacted], None],
    *,
    wanted: Callable[[str, str], bool] = lambda *_: True,
    crash: Callable[[str], None] = lambda _: None,
) -> list[Compacted]:
    """Fold the old batches of every wanted stream, each proved before its batches are deleted.

    The caller holds the refresh lock.

    Args:
        before: Batches read before it may be folded.
        crash: Called at the places where a kill must be harmless, with their names.

    Raises: RetentionError naming the stream that would come out differently; the streams before it are done.
    """
    sweep(landing)
    done = []
    for source in sources.values():
        for name in source.streams:
            if not wanted(source.name, name):
                continue
            found = foldable(landing, source.name, name, before)
            if found and (one := _compact(source, landing, found, now, crash)):
                done.append(one)
                report(one)
    return done


def _compact(
    source: Source, landing: Landing, found: Foldable, now: datetime, crash: Callable[[str], None]
) -> Compacted | None:
    name, began = found.stream, time.perf_counter()
    # The other streams' tables would cost more than this one's rows.
    source = source.model_copy(update={"streams": {name: source.streams[name]}})
    every = loadable(landing, source.name, name)
    with (
        tempfile.TemporaryDirectory(prefix="tieout-compact-") as folder,
        landing.draft(source.name, name) as draft,
    ):
        with _warehouse(Path(folder) / "as-it-is.duckdb", source) as con:
            _load(con, source, landing, every, now)
            expected = _contents(con, source, name)
            unsettled = _first_unsettled(con, source, name)
        batches = [item for item in found.batches if unsettled is None or item.known_as < unsettled]
        if len(batches) < 2:
            return None
        with _warehouse(Path(folder) / "to-fold.duckdb", source) as con:
            _load(con, source, landing, batches, now)
            manifest = fold(con, source, batches, draft)
        _prove(Path(folder), source, landing, draft, manifest, every[len(batches) :], expected, now)
        crash("proved")
        before = sum(folder_bytes(landing.folder(item)) for item in batches)
        _flush(*draft.iterdir())
        landing.commit(draft, manifest)
    _flush(landing.folder(manifest).parent)
    crash("committed")
    for item in batches:
        _delete(landing.folder(item))
        crash("deleted")
    after = folder_bytes(landing.folder(manifest))
    return Compacted(source.name, name, len(batches), before, after, time.perf_counter() - began)


def _load(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    landing: Landing,
    batches: Sequence[Manifest],
    now: datetime,
) -> None:
    for item in batches:
        load_batch(con, source, landing, item, now)


def _first_unsettled(con: duckdb.DuckDBPyConnection, source: Source, name: str) -> str | None:
    """The oldest batch with a row that waits in quarantine or was decided upon.

    It may still be released, or its decision taken back, and for that its batch is needed as it came.
    """
    row = con.execute(
        "select min(batch_id) from ops.quarantine where source = ? and stream = ?"
        " and (closed_by is null or decision is not null)",
        [source.name, name],
    ).fetchone()
    return row[0] if row else None


def _prove(
    folder: Path,
    source: Source,
    landing: Landing,
    draft: Path,
    manifest: Manifest,
    rest: Sequence[Manifest],
    expected: Mapping[str, str],
    now: datetime,
) -> None:
    """Replay the stream from the new batch and those that stay, in a landing made of links."""
    name = manifest.stream
    place = folder / "landing" / source.name / name
    place.mkdir(parents=True)
    linked = place / manifest.batch_id
    linked.mkdir()
    for file in draft.iterdir():
        (linked / file.name).symlink_to(file.resolve())
    (linked / MANIFEST).write_text(json.dumps(asdict(manifest)), encoding="utf-8")
    for item in rest:
        (place / item.batch_id).symlink_to(landing.folder(item).resolve(), target_is_directory=True)
    decided = landing.root / "_decisions"
    if decided.is_dir():
        (folder / "landing" / "_decisions").symlink_to(decided.resolve(), target_is_directory=True)
    with _warehouse(folder / "compacted.duckdb", source) as con:
        _load(con, source, Landing(folder / "landing"), [manifest, *rest], now)
        found = _contents(con, source, name)
    off = [table for table in expected if expected[table] != found.get(table)]
    if off:
        raise RetentionError(
            f"{source.name}.{name}: {', '.join(off)} would come out differently from the compacted batch. "
            f"Nothing of it was deleted or replaced. Report this with the output of `tieout storage`; meanwhile "
            f"the stream stays as it is."
        )


def _warehouse(file: Path, source: Source) -> duckdb.DuckDBPyConnection:
    con = connect(file, memory=INGEST_MEMORY)
    ensure_ledger(con)
    ensure_raw_tables(con, {source.name: source})
    return con


def _contents(con: duckdb.DuckDBPyConnection, source: Source, name: str) -> dict[str, str]:
    """Content hash of one stream's history and of its lines in the ledger."""
    history = history_table(source, name)
    found = {history: table_hash(con, history)}
    for table in LEDGER:
        found[f"ops.{table}"] = table_hash(
            con,
            f"(select * {_LEFT_OUT.get(table, '')} from ops.{table}"
            f" where source = {literal(source.name)} and stream = {literal(name)})",
        )
    return found


# --- by age ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expired:
    """Files of one batch that went, or would go: `kind` is evidence or seen."""

    source: str
    stream: str
    batch_id: str
    kind: str
    files: int
    bytes: int


def expirable(
    landing: Landing, source: str, stream: str, before: datetime, waiting: Collection[str] = ()
) -> list[Expired]:
    """Evidence and hashes of batches read before `before`, never of the newest batch, pull or file of a stream.

    Args:
        waiting: Batches with rows in quarantine: a person may want to see what came.
    """
    batches = landing.batches(source, stream)
    newest = {
        ("window" if item.scope.startswith(WINDOW) else item.scope if item.complete else "pull"): item
        for item in loadable(landing, source, stream)
    }
    kept = {item.batch_id for item in newest.values()} | {item.batch_id for item in batches[-1:]}
    kept |= set(waiting)
    found = []
    for item in batches:
        if item.batch_id in kept or item.folds or datetime.fromisoformat(item.extracted_at) >= before:
            continue
        for kind, files in (("evidence", evidence(landing, item)), ("seen", _seen(landing, item))):
            if files:
                size = sum(file.stat().st_size for file in files)
                found.append(Expired(source, stream, item.batch_id, kind, len(files), size))
    return found


def expire(landing: Landing, found: Sequence[Expired], now: datetime) -> None:
    """Delete what `expirable` named. The manifest says so first: a kill leaves files that go the next time."""
    for one in found:
        manifest = next(
            item for item in landing.batches(one.source, one.stream) if item.batch_id == one.batch_id
        )
        files = evidence(landing, manifest) if one.kind == "evidence" else _seen(landing, manifest)
        said = f"{now.isoformat()}: {one.files} files, {one.bytes} bytes"
        changed = replace(
            manifest,
            expired={**manifest.expired, one.kind: manifest.expired.get(one.kind, said)},
            seen=None if one.kind == "seen" else manifest.seen,
        )
        landing.rewrite(changed)
        for file in files:
            if file.is_dir():
                shutil.rmtree(file)
            else:
                file.unlink()


def evidence(landing: Landing, manifest: Manifest) -> list[Path]:
    """Files of a batch as they were received, which a replay does not read."""
    needed = {MANIFEST, manifest.data, manifest.keys, manifest.seen, "seen.parquet", FOLDED}
    needed |= {Path(item).parts[0] for item in (manifest.data, manifest.keys) if item}
    if manifest.folds:
        return []
    return [path for path in landing.folder(manifest).iterdir() if path.name not in needed]


def _seen(landing: Landing, manifest: Manifest) -> list[Path]:
    file = landing.folder(manifest) / (manifest.seen or "seen.parquet")
    return [file] if file.is_file() else []


# --- files ----------------------------------------------------------------------------------------


def sweep(landing: Landing) -> int:
    """Delete batches that a compacted one stands for and that a kill left behind; returns how many."""
    count = 0
    for left in landing.root.glob("*/*/.deleted-*"):
        shutil.rmtree(left, ignore_errors=True)
    for path in landing.root.glob(f"*/*/*/{FOLDED}"):
        manifest = json.loads((path.parent / MANIFEST).read_text(encoding="utf-8"))
        for old in [*manifest["folds"], *json.loads(path.read_text(encoding="utf-8"))["batches"]]:
            folder = path.parent.parent / old
            if folder.is_dir() and folder != path.parent:
                _delete(folder)
                count += 1
    return count


def _delete(folder: Path) -> None:
    """Out of sight by one rename, then deleted: nobody meets half a batch."""
    if not folder.is_dir():
        return
    hidden = folder.with_name(f".deleted-{folder.name}-{os.getpid()}")
    folder.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def _flush(*paths: Path) -> None:
    """On disk before anything is deleted."""
    for path in paths:
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
