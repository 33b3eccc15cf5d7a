"""The landing: immutable batches, the unit of truth. The warehouse can be rebuilt from here alone.

`<root>/<source>/<stream>/<batch_id>/` holds `manifest.json`, the data as received, and, where the data
did not come as Parquet, `rows.parquet`: the same rows parsed, every value still text. A batch is written
beside the others under a dotted name and renamed into place when it is complete, so a crash leaves a
whole batch or none.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from tieout.whole import write_whole

MANIFEST = "manifest.json"
WHOLE_TABLE = "*"
# How long pages of a pull that was killed are worth keeping: after it, the pull begins again.
RESUMABLE = timedelta(hours=6)


@dataclass(frozen=True)
class Manifest:
    """What one batch is: `rows` data rows, read from `origin` at `extracted_at` (UTC)."""

    source: str
    stream: str
    batch_id: str
    extracted_at: str
    scope: str  # WHOLE_TABLE, the file, or the window of the cursor that this batch was read from
    origin: str  # table, file, file#sheet or address, as a person would look it up
    data: str  # the Parquet file inside the batch folder that the loader reads
    rows: int
    bytes: int
    content_hash: str  # of the rows (tables, pages) or of the bytes as received (files)
    contract_version: str
    columns: dict[str, str] = field(default_factory=dict)  # in `data`, as the source declared them
    declared: dict[str, str] = field(default_factory=dict)  # every column the source had, promised or not
    control: dict[str, str] = field(default_factory=dict)  # what the source said: rows, sum_<column>
    complete: bool = True  # keys of the scope that are not in it were deleted
    cursor: str | None = None  # the cursor's columns, joined by commas
    cursor_to: str | None = (
        None  # highest cursor landed so far, never beyond the clock; the next pull starts there
    )
    keys: str | None = None  # Parquet file with every key (and cursor) the source had; others were deleted
    seen: str | None = None  # Parquet file with hashes of the rows that the next pull will read again
    evolved: dict[str, dict[str, str]] = field(
        default_factory=dict
    )  # unpromised columns taken in: id → from, type
    held: str | None = None  # why this batch may not be loaded yet (drift policy `quarantine`)
    folds: list[str] = field(default_factory=list)  # batches this one stands for since they were compacted
    expired: dict[str, str] = field(default_factory=dict)  # what retention deleted of it → when, how much
    requests: dict[str, float] = field(default_factory=dict)  # calls, retries, seconds waited (HTTP)
    seconds: float = 0.0

    @property
    def known_as(self) -> str:
        """Its name in the ledger: a compacted batch goes by the last one it stands for."""
        return self.folds[-1] if self.folds else self.batch_id


class Landing:
    """All batches below one folder. Batches never change, so each manifest is read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._read: dict[Path, Manifest] = {}

    def folder(self, manifest: Manifest) -> Path:
        return self.root / manifest.source / manifest.stream / manifest.batch_id

    def data_file(self, manifest: Manifest) -> Path:
        return self.folder(manifest) / manifest.data

    def keys_file(self, manifest: Manifest) -> Path | None:
        return self.folder(manifest) / manifest.keys if manifest.keys else None

    def has_rows(self, source: str, stream: str) -> bool:
        """Whether any row of the stream ever landed."""
        return any(item.rows for item in self.batches(source, stream))

    def batches(self, source: str, stream: str) -> list[Manifest]:
        """Complete batches of one stream, oldest first."""
        folder = self.root / source / stream
        if not folder.is_dir():
            return []
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        found = []
        for name in names:
            path = folder / name / MANIFEST
            if path not in self._read:
                try:
                    self._read[path] = _read(path)
                except (FileNotFoundError, NotADirectoryError):
                    continue
            found.append(self._read[path])
        # A kill may leave batches that were compacted beside the one that stands for them.
        folded = {item for manifest in found for item in manifest.folds}
        return [item for item in found if item.batch_id not in folded] if folded else found

    def latest(self, source: str, stream: str, scope: str | None = None) -> Manifest | None:
        """The newest batch (that stands for `scope`), if any."""
        matching = [item for item in self.batches(source, stream) if scope is None or item.scope == scope]
        return matching[-1] if matching else None

    def instant(self, source: str, stream: str, now: datetime) -> datetime:
        """`now`, or just after the newest batch if this machine's clock has gone back since."""
        batches = self.batches(source, stream)
        if not batches:
            return now
        return max(now, datetime.fromisoformat(batches[-1].extracted_at) + timedelta(microseconds=1))

    @contextmanager
    def draft(self, source: str, stream: str) -> Generator[Path]:
        """A private folder to write a batch into; whatever is not committed disappears."""
        parent = self.root / source / stream
        parent.mkdir(parents=True, exist_ok=True)
        folder = parent / f".draft-{os.getpid()}-{os.urandom(4).hex()}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def resumable(self, source: str, stream: str, name: str, now: datetime) -> Path:
        """A folder for pages of one pull that survives a kill: the same `name` finds it again.

        The caller deletes it when the batch is committed; one older than RESUMABLE is begun anew.
        """
        folder = self.root / source / stream / f".resume-{name}"
        if folder.is_dir() and now.timestamp() - folder.stat().st_mtime > RESUMABLE.total_seconds():
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def commit(self, draft: Path, manifest: Manifest) -> Manifest:
        """Make a draft a batch: manifest written and flushed, then one rename."""
        text = json.dumps(asdict(manifest), ensure_ascii=False, indent=2)
        with (draft / MANIFEST).open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self.folder(manifest))
        return manifest

    def rewrite(self, manifest: Manifest) -> None:
        """Say something new of a batch (retention only), whole or not at all; its rows stay what they are."""
        path = self.folder(manifest) / MANIFEST
        write_whole(path, json.dumps(asdict(manifest), ensure_ascii=False, indent=2))
        self._read.pop(path, None)

    def sweep(self, now: datetime | None = None) -> int:
        """Delete what killed runs left behind: drafts, and pages too old to go on from; returns how many."""
        moment = (now or datetime.now(UTC)).timestamp()
        old = [
            path
            for path in self.root.glob("*/*/.resume-*")
            if moment - path.stat().st_mtime > RESUMABLE.total_seconds()
        ]
        drafts = [*self.root.glob("*/*/.draft-*"), *old]
        for draft in drafts:
            shutil.rmtree(draft, ignore_errors=True)
        return len(drafts)


@cache
def shared(root: Path) -> Landing:
    """The one landing of this process below `root`: its manifests are read once, however many steps ask for them."""
    return Landing(root)


def batch_id(extracted_at: datetime, scope: str, content_hash: str) -> str:
    """Sorts by extraction time; the tail keeps two files of one moment apart."""
    tail = hashlib.sha256(f"{scope}|{content_hash}".encode()).hexdigest()[:8]
    return f"{extracted_at:%Y%m%dT%H%M%S}{extracted_at.microsecond:06d}Z-{tail}"


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> Manifest:
    return Manifest(**json.loads(path.read_text(encoding="utf-8")))
