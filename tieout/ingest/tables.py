"""The raw tables of a stream: every version of every key in one table, and what holds now as a view of it.

`raw_<source>.<stream>__history` keeps each version once, where it was first written; `_is_current` marks the newest
of a key, deleted or not. `raw_<source>.<stream>` is the current ones. A version that is replaced only loses its
mark: moving it elsewhere costs three to five times as much (docs/decisions/0008).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sources.contract import TECHNICAL_COLUMNS, Source
from tieout.engine import quoted

if TYPE_CHECKING:
    import duckdb

TECHNICAL = ", ".join(TECHNICAL_COLUMNS)
_TYPES = """
    _batch_id text not null, _loaded_at timestamptz not null, _hash ubigint not null,
    _origin text not null, _row bigint, _is_deleted boolean not null
"""


def raw_table(source: Source, stream: str) -> str:
    return f"{source.raw_schema}.{quoted(stream)}"


def history_table(source: Source, stream: str) -> str:
    return f"{source.raw_schema}.{quoted(stream + '__history')}"


def ensure_raw_tables(con: duckdb.DuckDBPyConnection, sources: dict[str, Source]) -> list[str]:
    """Give every promised stream its raw tables, so that models on a source that is off stay empty, not broken.

    A stream whose contract has other columns or types than its table is emptied together with its ledger
    lines; the next load rebuilds it from landing. Returns the names of those streams.
    """
    rebuilt = []
    existing, old = _columns(con), _old_tables(con)
    for source in sources.values():
        con.execute(f"create schema if not exists {source.raw_schema}")
        for name, stream in source.streams.items():
            promised = [(column, _engine_type(spec.type)) for column, spec in stream.columns.items()]
            found = existing.get((source.raw_schema, name + "__history"), [])
            if found == promised:
                continue
            con.execute("begin")
            # Up to version 0.2 the current rows were a table of their own.
            if (source.raw_schema, name) in old:
                con.execute(f"drop table {raw_table(source, name)}")
                forget(con, source, name)
            columns = ", ".join(f"{quoted(column)} {spec.type}" for column, spec in stream.columns.items())
            history = history_table(source, name)
            con.execute(
                f"create or replace table {history} ({columns}, {_TYPES}, _is_current boolean not null)"
            )
            con.execute(
                f"create or replace view {raw_table(source, name)} as"
                f" select * exclude (_is_current) from {history} where _is_current"
            )
            if found:
                forget(con, source, name)
                rebuilt.append(f"{source.name}.{name}")
            con.execute("commit")
    return rebuilt


def empty(con: duckdb.DuckDBPyConnection, source: Source, stream: str) -> None:
    """Take everything out of a stream's tables and out of the ledger: its batches count as not loaded."""
    con.execute(f"delete from {history_table(source, stream)}")
    forget(con, source, stream)


def forget(con: duckdb.DuckDBPyConnection, source: Source, stream: str) -> None:
    """Take a stream's lines out of the ledger, so that its batches count as not loaded."""
    for table in ("batch", "watermark", "control_total", "quarantine"):
        con.execute(f"delete from ops.{table} where source = ? and stream = ?", [source.name, stream])


def _old_tables(con: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """Every table that is no history, by schema and name."""
    found = con.execute(
        "select schema_name, table_name from duckdb_tables() where not internal and not ends_with(table_name, '__history')"
    ).fetchall()
    return set(found)


def _columns(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Names and types of the promised columns of every history table, by schema and table."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    there = set()
    for schema, table, column, kind in con.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns()"
        " where not internal order by table_oid, column_index"
    ).fetchall():
        if column == "_is_current":
            there.add((schema, table))
        elif column not in TECHNICAL_COLUMNS:
            found.setdefault((schema, table), []).append((column, kind))
    return {place: columns for place, columns in found.items() if place in there}


def _engine_type(promised: str) -> str:
    """The contract's type as DuckDB spells it."""
    names = {"text": "VARCHAR", "timestamptz": "TIMESTAMP WITH TIME ZONE"}
    return names.get(promised, promised.upper().replace(", ", ","))
