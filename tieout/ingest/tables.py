"""The raw tables of a stream: what holds now, what held before, and both together as its history.

`raw_<source>.<stream>` is the newest version of every key, deleted ones too; `…__past` holds the versions that
newer ones replaced; `…__history` is both. A version is written once, and moves only when it is replaced.
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


def past_table(source: Source, stream: str) -> str:
    return f"{source.raw_schema}.{quoted(stream + '__past')}"


def history_view(source: Source, stream: str) -> str:
    return f"{source.raw_schema}.{quoted(stream + '__history')}"


def ensure_raw_tables(con: duckdb.DuckDBPyConnection, sources: dict[str, Source]) -> list[str]:
    """Give every promised stream its raw tables, so that models on a source that is off stay empty, not broken.

    A stream whose contract has other columns or types than its table is emptied together with its ledger
    lines; the next load rebuilds it from landing. Returns the names of those streams.
    """
    rebuilt = []
    existing = _columns(con)
    for source in sources.values():
        con.execute(f"create schema if not exists {source.raw_schema}")
        for name, stream in source.streams.items():
            promised = [(column, _engine_type(spec.type)) for column, spec in stream.columns.items()]
            found = existing.get((source.raw_schema, name), [])
            if found == promised and (source.raw_schema, name + "__past") in existing:
                continue
            con.execute("begin")
            columns = ", ".join(f"{quoted(column)} {spec.type}" for column, spec in stream.columns.items())
            _drop_old_history(con, source, name)
            for table in (raw_table(source, name), past_table(source, name)):
                con.execute(f"create or replace table {table} ({columns}, {_TYPES})")
            con.execute(
                f"create or replace view {history_view(source, name)} as"
                f" from {raw_table(source, name)} union all from {past_table(source, name)}"
            )
            if found:
                forget(con, source, name)
                rebuilt.append(f"{source.name}.{name}")
            con.execute("commit")
    return rebuilt


def empty(con: duckdb.DuckDBPyConnection, source: Source, stream: str) -> None:
    """Take everything out of a stream's tables and out of the ledger: its batches count as not loaded."""
    for table in (raw_table(source, stream), past_table(source, stream)):
        con.execute(f"delete from {table}")
    forget(con, source, stream)


def forget(con: duckdb.DuckDBPyConnection, source: Source, stream: str) -> None:
    """Take a stream's lines out of the ledger, so that its batches count as not loaded."""
    for table in ("batch", "watermark", "control_total", "quarantine"):
        con.execute(f"delete from ops.{table} where source = ? and stream = ?", [source.name, stream])


def _drop_old_history(con: duckdb.DuckDBPyConnection, source: Source, name: str) -> None:
    """Up to version 0.2 the history was a table of its own."""
    found = con.execute(
        "select count(*) from duckdb_tables() where schema_name = ? and table_name = ?",
        [source.raw_schema, name + "__history"],
    ).fetchone()
    if found and found[0]:
        con.execute(f"drop table {history_view(source, name)}")


def _columns(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Names and types of the promised columns of every table, by schema and table."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for schema, table, column, kind in con.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns()"
        " where not internal order by table_oid, column_index"
    ).fetchall():
        if column not in TECHNICAL_COLUMNS:
            found.setdefault((schema, table), []).append((column, kind))
    return found


def _engine_type(promised: str) -> str:
    """The contract's type as DuckDB spells it."""
    names = {"text": "VARCHAR", "timestamptz": "TIMESTAMP WITH TIME ZONE"}
    return names.get(promised, promised.upper().replace(", ", ","))
