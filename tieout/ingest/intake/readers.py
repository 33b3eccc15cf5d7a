"""How tables are read from each kind of database: DuckDB's scanners, one read-only snapshot, nothing nulled on the way.

Values a scanner would change are cast to text by the database itself: PostgreSQL's unbounded `numeric` (the
scanner makes it a floating-point number), decimals of more than 38 digits, and types DuckDB does not know.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Source
from tieout.engine import connect, literal, load_extension, quoted
from tieout.ingest.errors import SourceError

if TYPE_CHECKING:
    import duckdb

_SECRET = re.compile(
    r"(password|pwd|token|secret)\s*=\s*('[^']*'|\S+)|(?<=://)[^/@\s]+:[^/@\s]+(?=@)", re.IGNORECASE
)
_EXTENSION = {"postgres": "postgres_scanner", "mysql": "mysql_scanner", "sqlite": "sqlite_scanner"}


class Reader:
    """An attached database, `src`, inside one read-only snapshot.

    Conditions are lists of alternatives that exclude each other, in SQL that the database and DuckDB both
    understand, so that each can be answered by an index of the database.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, source: Source, place: str) -> None:
        self.con, self.source, self._place = con, source, place

    def columns(self, table: str) -> dict[str, str]:
        """Every column of a table (or view) and its type as the database declares it, in its order.

        Raises: SourceError if there is no such table.
        """
        import duckdb

        try:
            found = self.con.execute(f"describe select * from {self._name(table)}").fetchall()
        except duckdb.Error as error:
            raise self._no_table(table, self.without_secret(error)) from None
        return {row[0]: row[1] for row in found}

    def copy(self, table: str, columns: dict[str, str], where: Sequence[str] | None, file: Path) -> None:
        """Write the columns of the rows that fulfil one of the conditions to a Parquet file."""
        self._write(self._select(self._name(table), columns, where), file)

    def totals(self, table: str, sums: dict[str, str], by: str | None) -> dict[str, str]:
        """Row count and sums (contract column → source column) as the system says, also by month of `by`."""
        answers = [
            "cast(count(*) as text)",
            *(f"cast(sum(cast({quoted(c)} as decimal(38, 6))) as text)" for c in sums.values()),
        ]
        month = "" if by is None else f"strftime(try_cast({quoted(by)} as date), '%Y-%m')"
        return self._totals(
            answers, month, list(sums), lambda select: self.con.execute(select).fetchall(), self._name(table)
        )

    def ask(self, sql: str) -> object:
        """The single value of a query in the system's own SQL.

        Raises: SourceError if it does not answer with exactly one row and one column.
        """
        rows = self._native(sql)
        if len(rows) != 1 or len(rows[0]) != 1:
            raise SourceError(
                f"{self.source.name}: {sql!r} should answer with one value, but gave {len(rows)} rows. Nothing was read."
            )
        return rows[0][0]

    def value(self, text: str, kind: str) -> str:
        """A literal of a contract's type."""
        if kind in {"bigint", "integer"}:
            return str(int(text))
        if kind == "timestamptz" and not re.search(r"[+-]\d\d(:?\d\d)?$|Z$", text):
            text += "+00"
        if kind in {"date", "timestamp", "timestamptz"}:
            return f"cast({literal(text)} as {'timestamptz' if kind == 'timestamptz' else 'timestamp'})"
        if kind.startswith("decimal"):
            return f"cast({literal(text)} as {kind})"
        return literal(text)

    def without_secret(self, error: BaseException) -> str:
        """The first line of a driver's message with the connection string taken out of it."""
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        return _SECRET.sub("…", line.replace(self._place, "…")).strip()

    # --- for the kinds of database ---

    def _name(self, table: str) -> str:
        return "src." + ".".join(quoted(part) for part in table.split("."))

    def _select(self, table: str, columns: dict[str, str], where: Sequence[str] | None) -> str:
        listed = ", ".join(quoted(column) for column in columns)
        if where is None:
            return f"select {listed} from {table}"
        return " union all ".join(f"select {listed} from {table} where {condition}" for condition in where)

    def _write(self, select: str, file: Path) -> None:
        self.con.execute(f"copy ({select}) to {literal(str(file))} (format parquet)")

    def _totals(self, answers, month, names, run, table) -> dict[str, str]:
        listed = ", ".join(answers)
        measures = ["rows", *(f"sum_{name}" for name in names)]
        said = dict(zip(measures, run(f"select {listed} from {table}")[0], strict=True))
        if month:
            for period, *values in run(f"select {month}, {listed} from {table} group by 1 order by 1"):
                said |= {f"{m}[{period or 'none'}]": v for m, v in zip(measures, values, strict=True)}
        return {measure: str(value) for measure, value in said.items()}

    def _native(self, sql: str) -> list[tuple]:
        return self.con.execute(sql).fetchall()

    def _no_table(self, table: str, reason: str) -> SourceError:
        return SourceError(
            f"{self.source.name}: the table {table} cannot be read: {reason}. "
            f"Nothing of it was loaded; what was loaded before stays."
        )


class PostgresReader(Reader):
    """PostgreSQL: whole tables by parallel scans of one exported snapshot, parts of them by its own SQL."""

    # What DuckDB's scanner reads without changing a value.
    _PLAIN = re.compile(
        r"^(boolean|smallint|integer|bigint|real|double precision|text|character varying(\(\d+\))?|character(\(\d+\))?"
        r"|date|timestamp(\(\d\))? without time zone|timestamp(\(\d\))? with time zone|time(\(\d\))? without time zone|uuid"
        r"|numeric\((\d|[12]\d|3[0-8]),-?\d+\))$"
    )

    @cached_property
    def _catalogue(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in self._native(
            "select n.nspname || '.' || c.relname, a.attname::text, format_type(a.atttypid, a.atttypmod)"
            " from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace"
            " where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'v', 'm', 'p', 'f')"
            " and n.nspname not in ('pg_catalog', 'information_schema') order by a.attrelid, a.attnum"
        ):
            found.setdefault(table, {})[column] = kind
        return found

    def columns(self, table: str) -> dict[str, str]:
        columns = self._catalogue.get(table if "." in table else f"public.{table}")
        if columns is None:
            raise self._no_table(table, "it does not exist, or this login may not see it")
        return columns

    def copy(self, table: str, columns: dict[str, str], where: Sequence[str] | None, file: Path) -> None:
        if where is None and all(self._PLAIN.match(kind) for kind in columns.values()):
            super().copy(table, columns, None, file)
            return
        listed = ", ".join(f"{self._unchanged(c, kind)} as {quoted(c)}" for c, kind in columns.items())
        condition = "" if where is None else " where " + " or ".join(f"({part})" for part in where)
        native = f"select {listed} from {self._own_name(table)}{condition}"
        self._write(f"select * from postgres_query('src', {literal(native)})", file)

    def totals(self, table: str, sums: dict[str, str], by: str | None) -> dict[str, str]:
        # As text: PostgreSQL's sum has no fixed precision, and would arrive in floating point.
        answers = ["count(*)::text", *(f"sum({quoted(column)})::text" for column in sums.values())]
        listed = [f"{answer} as a{place}" for place, answer in enumerate(answers)]
        month = "" if by is None else f"to_char({quoted(by)}, 'YYYY-MM') as period"
        return self._totals(listed, month, list(sums), self._native, self._own_name(table))

    def _unchanged(self, column: str, kind: str) -> str:
        name = quoted(column)
        if self._PLAIN.match(kind):
            return name
        return f"encode({name}, 'hex')" if kind == "bytea" else f"{name}::text"

    def _own_name(self, table: str) -> str:
        return ".".join(quoted(part) for part in table.split("."))

    def _native(self, sql: str) -> list[tuple]:
        return self.con.execute(f"select * from postgres_query('src', {literal(sql)})").fetchall()


class MysqlReader(Reader):
    """MySQL and MariaDB. Its own SQL runs outside the snapshot, so everything of a table is asked by scans.

    The scanner reads '0000-00-00' as null: where the server counts more dates than arrived, they are read
    again as text, so that quarantine names them instead of losing them.
    """

    def copy(self, table: str, columns: dict[str, str], where: Sequence[str] | None, file: Path) -> None:
        as_text = [
            column for column, kind in columns.items() if kind == "DOUBLE" and self._is_decimal(table, column)
        ]
        if not as_text:
            super().copy(table, columns, where, file)
            dates = [column for column, kind in columns.items() if kind.startswith(("DATE", "TIMESTAMP"))]
            as_text = self._nulled(table, dates, where, file)
        if as_text:
            self._copy_as_text(table, columns, as_text, where, file)

    def _nulled(self, table: str, dates: list[str], where: Sequence[str] | None, file: Path) -> list[str]:
        """Columns of which fewer values arrived than the server has."""
        if not dates:
            return []
        counts = ", ".join(f"count({quoted(column)})" for column in dates)
        # An aggregate over the bare table is computed by the server; over a union it would be computed here.
        said = [0] * len(dates)
        for condition in where or [""]:
            clause = f" where {condition}" if condition else ""
            row = self.con.execute(f"select {counts} from {self._name(table)}{clause}").fetchone() or ()
            said = [before + now for before, now in zip(said, row, strict=True)]
        row = self.con.execute(f"select {counts} from read_parquet({literal(str(file))})").fetchone() or ()
        return [c for c, there, here in zip(dates, said, row, strict=True) if there != here]

    def _copy_as_text(
        self, table: str, columns: dict[str, str], as_text: list[str], where: Sequence[str] | None, file: Path
    ) -> None:
        listed = ", ".join(
            f"cast({_backticked(c)} as char) as {_backticked(c)}" if c in as_text else _backticked(c)
            for c in columns
        )
        native_name = ".".join(_backticked(part) for part in table.split("."))
        conditions = [condition.replace('"', "`") for condition in where or []]
        condition = " where " + " or ".join(f"({part})" for part in conditions) if conditions else ""
        native = f"select {listed} from {native_name}{condition}"
        self._write(f"select * from mysql_query('src', {literal(native)})", file)

    def _is_decimal(self, table: str, column: str) -> bool:
        return (table.split(".")[-1], column) in self._wide_decimals

    @cached_property
    def _wide_decimals(self) -> set[tuple[str, str]]:
        return set(
            self._native(
                "select table_name, column_name from information_schema.columns"
                " where data_type = 'decimal' and numeric_precision > 38"
            )
        )

    def _native(self, sql: str) -> list[tuple]:
        return self.con.execute(f"select * from mysql_query('src', {literal(sql)})").fetchall()


class SqliteReader(Reader):
    """SQLite: its columns may hold values of any type; where one does, the values are read as text."""

    def copy(self, table: str, columns: dict[str, str], where: Sequence[str] | None, file: Path) -> None:
        import duckdb

        try:
            super().copy(table, columns, where, file)
        except duckdb.Error as error:
            if "declared as" not in str(error):
                raise
            listed = ", ".join(f"cast({quoted(c)} as text) as {quoted(c)}" for c in columns)
            condition = "" if where is None else " where " + " or ".join(f"({part})" for part in where)
            native = f"select {listed} from {quoted(table)}{condition}"
            self._write(f"select * from sqlite_query('src', {literal(native)})", file)

    def _native(self, sql: str) -> list[tuple]:
        return self.con.execute(f"select * from sqlite_query('src', {literal(sql)})").fetchall()


_READERS = {"postgres": PostgresReader, "mysql": MysqlReader, "sqlite": SqliteReader}


@contextmanager
def open_reader(source: Source) -> Generator[Reader]:
    """Attach a database read-only and hold one snapshot of it.

    Raises: SourceError if it cannot be reached; the message does not hold the connection string.
    """
    import duckdb

    place = source.place()
    if source.connector == "sqlite" and not Path(place).is_file():
        raise SourceError(
            f"{source.name}: the database file {Path(place).name} does not exist. Nothing was read. "
            f"Check the connection in sources/{source.name}/source.yaml."
        )
    with connect() as con:
        reader = _READERS[source.connector](con, source, place)
        # Order inside a table carries no meaning here, and keeping it costs half the speed.
        con.execute("set preserve_insertion_order = false")
        load_extension(con, _EXTENSION[source.connector])
        if source.connector == "mysql":
            # A number is a number (tinyint(1) may hold 2); instants are UTC; large tables take longer than five
            # minutes; and the server must not copy a table to its own disk before it sends it.
            for setting in (
                "mysql_tinyint1_as_boolean = false",
                "mysql_session_time_zone = '+00:00'",
                "mysql_query_timeout_enabled = false",
                "mysql_sql_buffer_result = false",
            ):
                con.execute(f"set {setting}")
        try:
            con.execute(f"attach {literal(place)} as src (type {source.connector}, read_only)")
            con.execute("begin transaction read only")
        except duckdb.Error as error:
            reference = source.connection.dsn or source.connection.path
            raise SourceError(
                f"{source.name}: cannot connect: {reader.without_secret(error)}. Nothing was read. "
                f"Check that the system runs and that {reference} is right."
            ) from None
        yield reader


def _backticked(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
