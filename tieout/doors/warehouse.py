"""What the warehouse has to publish: tables and views of `marts` and `metrics`, their types and comments."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.doors.access import PUBLISH, SCHEMAS
from tieout.engine import connect, literal, load_extension, quoted

if TYPE_CHECKING:
    import duckdb

LONGEST_NAME = 63  # bytes; PostgreSQL would cut what is longer, silently

# DuckDB type -> (type PostgreSQL gets, DuckDB type to cast to on the way; None: as it is).
_TYPES: dict[str, tuple[str, str | None]] = {
    "BOOLEAN": ("boolean", None),
    "TINYINT": ("smallint", "SMALLINT"),
    "UTINYINT": ("smallint", "SMALLINT"),
    "SMALLINT": ("smallint", None),
    "USMALLINT": ("integer", "INTEGER"),
    "INTEGER": ("integer", None),
    "UINTEGER": ("bigint", "BIGINT"),
    "BIGINT": ("bigint", None),
    "UBIGINT": ("numeric(20,0)", "DECIMAL(20,0)"),
    # What sum() makes of whole numbers. A sum too large for bigint fails the publish, it is never rounded.
    "HUGEINT": ("bigint", "BIGINT"),
    "FLOAT": ("real", None),
    "DOUBLE": ("double precision", None),
    "VARCHAR": ("text", None),
    "UUID": ("text", "VARCHAR"),
    "DATE": ("date", None),
    "TIME": ("time", None),
    "TIMESTAMP": ("timestamp", None),
    "TIMESTAMP_S": ("timestamp", "TIMESTAMP"),
    "TIMESTAMP_MS": ("timestamp", "TIMESTAMP"),
    "TIMESTAMP_NS": ("timestamp", "TIMESTAMP"),
    "TIMESTAMP WITH TIME ZONE": ("timestamptz", None),
}


class UnpublishableError(ValueError):
    """A table of marts or metrics that BI tools could not read; the message says which and what to change."""


@dataclass(frozen=True)
class SourceColumn:
    name: str
    duckdb_type: str
    postgres_type: str
    cast_to: str | None
    comment: str | None

    @property
    def expression(self) -> str:
        """The column in a select over its table, in a type that PostgreSQL has."""
        if self.cast_to is None:
            return quoted(self.name)
        return f"cast({quoted(self.name)} as {self.cast_to}) as {quoted(self.name)}"


@dataclass(frozen=True)
class SourceTable:
    """A table or view to publish. ``relation`` is what to select from: a view is computed once, into a temp table."""

    schema: str
    name: str
    columns: tuple[SourceColumn, ...]
    comment: str | None
    relation: str

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def select(self) -> str:
        return f"select {', '.join(column.expression for column in self.columns)} from {self.relation}"


def postgres_type(duckdb_type: str) -> tuple[str, str | None]:
    """The PostgreSQL type of a DuckDB type, and the DuckDB type to cast to first, if any.

    Raises: KeyError for types BI tools cannot use (nested ones, intervals, blobs).
    """
    if decimal := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", duckdb_type):
        return f"numeric({decimal[1]},{decimal[2]})", None
    if duckdb_type.startswith("ENUM("):
        return "text", "VARCHAR"
    return _TYPES[duckdb_type]


@contextlib.contextmanager
def reading(warehouse: Path | duckdb.DuckDBPyConnection) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection to read the warehouse with: of its own, closed at the end, whatever was given.

    A path is opened read-only, so nobody may be writing it. A connection is doubled (`cursor`): what its
    open transaction has not committed is not seen.
    """
    con = connect(warehouse, read_only=True) if isinstance(warehouse, Path) else warehouse.cursor()
    try:
        with contextlib.suppress(FileNotFoundError):
            load_extension(con, "icu")  # views may convert time zones
        yield con
    finally:
        con.close()


def source_tables(
    con: duckdb.DuckDBPyConnection, *, schemas: Sequence[str] = SCHEMAS
) -> tuple[SourceTable, ...]:
    """Everything to publish, in order of name; views are computed here, once, for all that follows.

    Raises: `UnpublishableError` listing every column that cannot be published; nothing was computed then.
    """
    listed = ", ".join(literal(schema) for schema in schemas)
    here = "database_name = current_database() and not internal"
    relations = con.execute(
        f"select schema_name, table_name, comment, false from duckdb_tables() where {here} and schema_name in ({listed})"
        " union all "
        f"select schema_name, view_name, comment, true from duckdb_views() where {here} and schema_name in ({listed})"
        " order by 1, 2"
    ).fetchall()
    comments: Mapping[tuple[str, str, str], str] = {
        (schema, table, column): comment
        for schema, table, column, comment in con.execute(
            "select schema_name, table_name, column_name, comment from duckdb_columns()"
            f" where {here} and schema_name in ({listed}) and comment is not null"
        ).fetchall()
    }
    problems: list[str] = []
    found: list[tuple[SourceTable, bool]] = []
    for schema, name, comment, is_view in relations:
        relation = f"{quoted(schema)}.{quoted(name)}"
        problems += _name_problems(f"{schema}.{name}", name)
        if name == PUBLISH:
            problems.append(
                f"{schema}.{name}: the name {PUBLISH!r} is kept for the publish itself; rename the model"
            )
        columns = []
        for column, kind, *_ in con.execute(f"describe select * from {relation}").fetchall():
            problems += _name_problems(f"{schema}.{name}.{column}", column)
            try:
                target, cast_to = postgres_type(kind)
            except KeyError:
                problems.append(
                    f"{schema}.{name}.{column}: BI tools cannot read {kind}; cast it in the model"
                )
                continue
            columns.append(SourceColumn(column, kind, target, cast_to, comments.get((schema, name, column))))
        found.append((SourceTable(schema, name, tuple(columns), comment, relation), is_view))
    if problems:
        raise UnpublishableError(
            "Nothing was published; what was published before stays.\n" + "\n".join(problems)
        )
    return tuple(_computed(con, table) if is_view else table for table, is_view in found)


def _computed(con: duckdb.DuckDBPyConnection, view: SourceTable) -> SourceTable:
    temporary = f"temp.{quoted(f'publish {view.full_name}')}"
    con.execute(
        f"create or replace temp table {quoted(f'publish {view.full_name}')} as select * from {view.relation}"
    )
    return SourceTable(view.schema, view.name, view.columns, view.comment, temporary)


def _name_problems(full_name: str, name: str) -> list[str]:
    if len(name.encode()) > LONGEST_NAME:
        return [
            f"{full_name}: the name has {len(name.encode())} bytes, PostgreSQL takes {LONGEST_NAME}; shorten it"
        ]
    return []


def source_comments(tables: Sequence[SourceTable]) -> dict[str, str]:
    """The comments the warehouse itself has, as `schema.table` or `schema.table.column` -> text."""
    found = {table.full_name: table.comment for table in tables if table.comment}
    for table in tables:
        found |= {
            f"{table.full_name}.{column.name}": column.comment for column in table.columns if column.comment
        }
    return found
