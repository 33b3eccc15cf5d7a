"""A compacted batch: every version that older batches of a stream led to, and what the ledger says of them.

Its Parquet file holds rows under the contract's names with the loader's own columns, and `_is_current`; loading it
restores the stream as it stood after the last batch it stands for, past and ledger included, without judging a row
again. The batches it stands for are gone; so a later contract finds here the columns that were promised then,
and a column promised since reads as missing, as it does for every batch that landed under an older contract.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import TECHNICAL_COLUMNS, Source
from tieout.engine import literal, quoted
from tieout.ingest import rules
from tieout.ingest.errors import IngestError
from tieout.ingest.landing import WHOLE_TABLE, Landing, Manifest
from tieout.ingest.outcome import Loaded
from tieout.ingest.tables import TECHNICAL, history_table

if TYPE_CHECKING:
    import duckdb

HISTORY, FOLDED = "history.parquet", "folded.json"
LEDGER = ("batch", "watermark", "control_total", "quarantine")


class FoldError(IngestError):
    """A compacted batch does not fit the contract any more; nothing of its stream was loaded."""


def fold(
    con: duckdb.DuckDBPyConnection, source: Source, batches: Sequence[Manifest], draft: Path
) -> Manifest:
    """Write what a stream holds in `con`, where exactly `batches` are loaded, into `draft`; returns the manifest.

    It sorts right after the last batch it stands for and before any other.
    """
    last = batches[-1]
    name = last.stream
    stream = source.streams[name]
    columns = ", ".join(quoted(column) for column in stream.columns)
    held = f"select {columns}, {TECHNICAL}, _is_current from {history_table(source, name)}"
    # Versions of one key side by side: that is what makes the file small.
    order = ", ".join([*(quoted(column) for column in stream.key), "_batch_id"])
    file = draft / HISTORY
    con.execute(f"copy ({held} order by {order}) to {literal(str(file))} (format parquet, compression zstd)")
    for table in LEDGER:
        con.execute(
            f"copy (select * from ops.{table} where source = {literal(source.name)} and stream = {literal(name)})"
            f" to {literal(str(draft / _ledger_file(table)))} (format parquet)"
        )
    text = json.dumps({"key": list(stream.key), "batches": [item.batch_id for item in batches]})
    (draft / FOLDED).write_text(text + "\n", encoding="utf-8")
    row = con.execute(f"select count(*) from ({held})").fetchone()
    assert row is not None
    return replace(
        last,
        batch_id=f"{last.known_as}-folded",
        data=HISTORY,
        rows=row[0],
        bytes=file.stat().st_size,
        scope=WHOLE_TABLE,
        columns={column: spec.type for column, spec in stream.columns.items()},
        control={},
        complete=False,
        keys=None,
        seen=None,
        evolved={key: value for item in batches for key, value in item.evolved.items()},
        held=None,
        folds=[old for item in batches for old in (item.folds or [item.batch_id])],
        expired={},
        requests={},
        seconds=0.0,
    )


def unfold(
    con: duckdb.DuckDBPyConnection, source: Source, landing: Landing, manifest: Manifest, now: datetime
) -> Loaded:
    """Restore a stream, which is empty, from a compacted batch; the caller owns the transaction.

    Raises: FoldError if the key has changed since, or a type that its values do not fit.
    """
    name, stream = manifest.stream, source.streams[manifest.stream]
    folder = landing.folder(manifest)
    where = f"{source.name}.{name}: the compacted batch {manifest.batch_id}"
    undone = (
        "Nothing of this stream was loaded. Give the contract back what it said, or remove that batch from the "
        f"landing and read the source again: `tieout refresh --only {source.name}.{name} --full`; its older "
        "versions are lost then."
    )
    key = json.loads((folder / FOLDED).read_text(encoding="utf-8"))["key"]
    if key != list(stream.key):
        raise FoldError(
            f"{where} holds versions by {', '.join(key)}, the key is now {', '.join(stream.key)}. {undone}"
        )
    file = f"read_parquet({literal(str(landing.data_file(manifest)))})"
    present = {row[0] for row in con.execute(f"describe select * from {file}").fetchall()}
    cast = {
        column: f"try_cast({quoted(column)} as {spec.type})"
        if column in present
        else f"cast(null as {spec.type})"
        for column, spec in stream.columns.items()
    }
    for column in present & set(cast):
        lost = con.execute(
            f"select count(*) from {file} where {quoted(column)} is not null and {cast[column]} is null"
        ).fetchone()
        if lost and lost[0]:
            raise FoldError(
                f"{where} holds {lost[0]} values of {column} that are no {stream.columns[column].type}. {undone}"
            )
    columns = ", ".join(quoted(column) for column in stream.columns)
    listed = ", ".join(f"{expression} as {quoted(column)}" for column, expression in cast.items())
    technical = ", ".join(
        rules.content_hash(stream) if column == "_hash" else column for column in TECHNICAL_COLUMNS
    )
    others = ", ".join(column for column in TECHNICAL_COLUMNS if column != "_hash")
    con.execute(
        f"insert into {history_table(source, name)} ({columns}, {TECHNICAL}, _is_current)"
        f" select {columns}, {technical}, _is_current from (select {listed}, {others}, _is_current from {file})"
    )
    for table in LEDGER:
        loaded_at = (
            f"replace ({literal(now.isoformat())}::timestamptz as loaded_at)" if table == "batch" else ""
        )
        con.execute(
            f"insert into ops.{table} by name"
            f" select * {loaded_at} from read_parquet({literal(str(folder / _ledger_file(table)))})"
        )
    counts = con.execute(
        "select sum(rows_in), sum(rows_loaded), sum(rows_unchanged), sum(rows_quarantined), sum(rows_deleted)"
        " from ops.batch where source = ? and stream = ?",
        [source.name, name],
    ).fetchone()
    assert counts is not None
    return Loaded(source.name, name, manifest.batch_id, *(int(count or 0) for count in counts))


def _ledger_file(table: str) -> str:
    return f"ledger_{table}.parquet"
