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
from datetime import datetime, timedelta
from pathlib import Path

MANIFEST = "manifest.json"
WHOLE_TABLE = "*"


@dataclass(frozen=True)
class Manifest:
    """What one batch is: `rows` data rows, read from `origin` at `extracted_at` (UTC)."""

    source: str
    stream: str
    batch_id: str
    extracted_at: str
    scope: str  # WHOLE_TABLE, or the file this batch is the complete content of
    origin: str  # table, file or file#sheet, as a person would look it up
    data: str  # the Parquet file inside the batch folder that the loader reads
    rows: int
    bytes: int
    content_hash: str  # of the rows (tables) or of the bytes as received (files)
    contract_version: str
    columns: dict[str, str] = field(default_factory=dict)  # as the source declared them
    control: dict[str, str] = field(default_factory=dict)  # what the source said: rows, sum_<column>
    seconds: float = 0.0


class Landing:
    """All batches below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, manifest: Manifest) -> Path:
        return self.root / manifest.source / manifest.stream / manifest.batch_id

    def data_file(self, manifest: Manifest) -> Path:
        return self.folder(manifest) / manifest.data

    def batches(self, source: str, stream: str) -> list[Manifest]:
        """Complete batches of one stream, oldest first."""
        folder = self.root / source / stream
        found = [path for path in folder.glob(f"*/{MANIFEST}") if not path.parent.name.startswith(".")]
        return [_read(path) for path in sorted(found)]

    def latest(self, source: str, stream: str, scope: str) -> Manifest | None:
        """The newest batch that stands for `scope`, if any."""
        matching = [manifest for manifest in self.batches(source, stream) if manifest.scope == scope]
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

    def commit(self, draft: Path, manifest: Manifest) -> Manifest:
        """Make a draft a batch: manifest written and flushed, then one rename."""
        text = json.dumps(asdict(manifest), ensure_ascii=False, indent=2)
        with (draft / MANIFEST).open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self.folder(manifest))
        return manifest

    def sweep(self) -> int:
        """Delete drafts that a killed run left behind; returns how many."""
        drafts = list(self.root.glob("*/*/.draft-*"))
        for draft in drafts:
            shutil.rmtree(draft, ignore_errors=True)
        return len(drafts)


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
