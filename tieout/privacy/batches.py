"""The landing without the erased: the one sanctioned change of batches, repeatable and safe to kill anywhere.

File by file: the rows are written again and renamed into place; then what a replay does not read (pages and files as
received, which hold the same in other words) is deleted, and the manifest says so. Every step done twice does nothing.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sources.contract import Source
from tieout.engine import literal
from tieout.ingest import rules
from tieout.ingest.decisions import FOLDER as DECISIONS
from tieout.ingest.decisions import decisions
from tieout.ingest.fold import FOLDED, HISTORY
from tieout.ingest.landing import MANIFEST, Landing, Manifest
from tieout.ingest.quarantine.rows import KINDS
from tieout.ingest.retention import evidence, folder_bytes
from tieout.pages.personal import SHOWN
from tieout.privacy.erased import Erased
from tieout.privacy.rewrite import Rewritten, in_sentence, named_in, rewrite
from tieout.privacy.search import contents
from tieout.whole import write_whole

if TYPE_CHECKING:
    import duckdb

_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
# What was asked for in the middle of a pull, and what a run that was killed left behind.
_UNFINISHED = ("*/*/.resume-*", "*/*/.draft-*", "*/*/.deleted-*")


@dataclass(frozen=True)
class Cleaned:
    """What one batch lost: rows by file, and files that were deleted."""

    source: str
    stream: str
    batch_id: str
    rows: Rewritten
    evidence: int


def clean(
    con: duckdb.DuckDBPyConnection,
    sources: Mapping[str, Source],
    landing: Landing,
    erased: Erased,
    now: datetime,
    crash: Callable[[str], None] = lambda _: None,
) -> list[Cleaned]:
    """Take every erased person out of every batch; the caller holds the refresh lock.

    Args:
        sources: The effective contracts.
        crash: Called at the places where a kill must be harmless, with their names.
    """
    for left in _UNFINISHED:
        for folder in landing.root.glob(left):
            shutil.rmtree(folder, ignore_errors=True)
    found = []
    for source in sources.values():
        for name in source.streams:
            for manifest in landing.batches(source.name, name):
                one = _clean(con, source, name, landing, manifest, erased, now, crash)
                if one is not None:
                    found.append(one)
    return found


def _clean(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    name: str,
    landing: Landing,
    manifest: Manifest,
    erased: Erased,
    now: datetime,
    crash: Callable[[str], None],
) -> Cleaned | None:
    folder = landing.folder(manifest)
    for left in folder.glob(".erasing-*"):
        left.unlink()
    # The rows come last: as long as they are not written again, a repeat finds this batch once more.
    _clean_ledger(source, folder, erased)
    data = landing.data_file(manifest)
    mine = holds(con, data, source, name, erased)
    received = evidence(landing, manifest)
    gone = received if mine else [path for path in received if page_names(path, erased)]
    if not mine and not gone:
        return None
    crash("erase-batch")
    deleted = _drop_evidence(landing, manifest, gone, now)
    if (keys := landing.keys_file(manifest)) is not None:
        rewrite(con, keys, source, name, erased)
    crash("erase-rows")
    rows = rewrite(
        con, data, source, name, erased, beside=_Decided(con, source, name, landing.root, erased).carry_over
    )
    return Cleaned(source.name, name, manifest.batch_id, rows, deleted)


def holds(con: duckdb.DuckDBPyConnection, file: Path, source: Source, name: str, erased: Erased) -> bool:
    """Whether a file has rows that name an erased person."""
    return bool(rewrite(con, file, source, name, erased, look=True))


def page_names(path: Path, erased: Erased) -> bool:
    """Whether a page or file as received has a value of an erased person, also in fields nobody promised."""
    if path.is_dir():
        return any(page_names(file, erased) for file in path.rglob("*") if file.is_file())
    return any(named_in(_decoded(content), erased) for content in contents(path))


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("gb18030", errors="replace")
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)


def _drop_evidence(landing: Landing, manifest: Manifest, files: Sequence[Path], now: datetime) -> int:
    """Delete pages and files as received; returns how many. The manifest says so first."""
    if not files:
        return 0
    size = sum(folder_bytes(file) if file.is_dir() else file.stat().st_size for file in files)
    said = f"{now.isoformat()}: {len(files)} files, {size} bytes, a person was erased"
    landing.rewrite(replace(manifest, expired={**manifest.expired, "evidence": said}))
    for file in files:
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    return len(files)


def draft_cleaned(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    name: str,
    draft: Path,
    files: tuple[str, ...],
    kept: tuple[str, ...],
    erased: Erased,
    now: datetime,
) -> dict[str, str]:
    """Take the erased out of a batch before it lands; returns what its manifest says is missing.

    Args:
        files: Parquet files with rows or keys, the rows first.
        kept: Other files that a later pull reads; everything else is evidence, and goes if it or the rows name somebody.
    """
    rewritten = [rewrite(con, draft / file, source, name, erased) for file in files]
    mine = any(rewritten)
    needed, gone = {MANIFEST, *(Path(file).parts[0] for file in (*files, *kept))}, 0
    for path in list(draft.iterdir()):
        if path.name not in needed and (mine or page_names(path, erased)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            gone += 1
    return {"evidence": f"{now.isoformat()}: {gone} files, it holds a person who was erased"} if gone else {}


# --- decisions on rows ---------------------------------------------------------------------------------


class _Decided:
    """Decisions that let a row in or leave it out know it by its content, which is another one now."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, source: Source, name: str, root: Path, erased: Erased
    ) -> None:
        self.con, self.source, self.name, self.root, self.erased = con, source, name, root, erased

    def carry_over(self, old: Path, new: Path) -> None:
        taken = decisions(self.root, kinds=KINDS, source=self.source.name, stream=self.name)
        if not taken:
            return
        renamed = {
            was: now
            for was, now in zip(self._identities(old), self._identities(new), strict=True)
            if was != now
        }
        for path in (self.root / DECISIONS).glob("[!.]*.json"):
            said = json.loads(path.read_text(encoding="utf-8"))
            now = renamed.get(said["about"].get("record_hash"))
            if said["kind"] not in KINDS or now is None:
                continue
            said["about"]["record_hash"] = now
            for column, value in (said["about"].get("set") or {}).items():
                if value is not None and self.source.class_of(self.name, column) not in SHOWN:
                    said["about"]["set"][column] = in_sentence(
                        value, self.erased.of(self.source.name), self.erased
                    )
            write_whole(path, json.dumps(said, ensure_ascii=False, indent=2, sort_keys=True) + "\n")

    def _identities(self, file: Path) -> list[str]:
        """What decisions know each row by, in the order of the file."""
        read = literal(str(file))
        present = {
            row[0]: row[1]
            for row in self.con.execute(f"describe select * from read_parquet({read})").fetchall()
        }
        stream = self.source.streams[self.name]
        received = rules.received(stream, read, present, {"_row", "_origin"} & set(present))
        rows = self.con.execute(
            f"select sha256({rules.identity(stream)}) from ({received}) order by _place"
        ).fetchall()
        return [row[0] for row in rows]


# --- compacted batches: the ledger's lines in them ---------------------------------------------------


def _clean_ledger(source: Source, folder: Path, erased: Erased) -> None:
    """Rows once in quarantine are kept as text in a compacted batch."""
    file = folder / "ledger_quarantine.parquet"
    if not (folder / FOLDED).is_file() or not (folder / HISTORY).is_file() or not file.is_file():
        return
    clean_texts(file, lambda text: in_sentence(text, erased.of(source.name), erased))


def clean_texts(file: Path, change: Callable[[str], str]) -> int:
    """Write a Parquet file again with other texts, lists of texts included; returns how many cells changed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as opened:
        held = opened.read()
    changed, count = [], 0
    for column in held.columns:
        values = column.to_pylist() if _is_text(column.type) else None
        if values is None:
            changed.append(column)
            continue
        new = [_each(value, change) for value in values]
        differ = sum(a != b for a, b in zip(values, new, strict=True))
        count += differ
        changed.append(pa.chunked_array([pa.array(new, column.type)]) if differ else column)
    if count:
        draft = file.with_name(f".erasing-{file.name}")
        pq.write_table(pa.table(changed, schema=held.schema), draft, compression="zstd")
        draft.replace(file)
    return count


def _is_text(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_list(kind):
        return _is_text(kind.value_type)
    return types.is_string(kind) or types.is_large_string(kind)


def _each(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_each(item, change) for item in value]
    return value if value is None else change(value)
