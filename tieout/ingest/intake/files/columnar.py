"""Parquet as received: it is loaded as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tieout.engine import literal, quoted
from tieout.ingest.intake.files.delivery import PARSED, Delivery, Parsed

if TYPE_CHECKING:
    import duckdb

# What the loader would take for positions that we wrote.
_OURS = ("_row", "_origin")


def parse_parquet(con: duckdb.DuckDBPyConnection, delivery: Delivery) -> Parsed:
    """Look at one Parquet file; nothing is copied unless a column has a name of ours.

    Raises: SourceError if it cannot be read or lacks a promised column.
    """
    import duckdb as engine

    file = literal(str(delivery.file))
    try:
        found = con.execute(f"describe select * from read_parquet({file})").fetchall()
        row = con.execute(f"select count(*) from read_parquet({file})").fetchone()
    except engine.Error as error:
        raise delivery.refusal(
            f"is not a readable Parquet file ({str(error).splitlines()[0].replace(str(delivery.file), 'it')})"
        ) from None
    assert row is not None
    columns = {name: kind for name, kind, *_ in found}
    delivery.columns(columns, delivery.file.name)
    data = delivery.file.name
    ours = [name for name in _OURS if name in columns]
    if ours:
        data = PARSED
        left_out = ", ".join(quoted(name) for name in ours)
        target = literal(str(delivery.file.parent / data))
        con.execute(
            f"copy (select * exclude ({left_out}) from read_parquet({file})) to {target} (format parquet)"
        )
    kept = {name: kind for name, kind in columns.items() if name not in ours}
    return Parsed(data, row[0], kept, columns, delivery.file.name)
