"""How tables are read from each kind of database: DuckDB's scanners, one read-only snapshot, nothing nulled on the way.

Values a scanner would change are cast to text by the database itself: PostgreSQL's unbounded `numeric` (the
scanner makes it a floating-point number), decimals of more than 38 digits, and types DuckDB does not know.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Source
from tieout.engine import INGEST_MEMORY, connect, literal, load_extension, quoted
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
        self.notes: list[str] = []  # what a person should know about how this was read

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

    def ordered(self, column: str, declared: str, kind: str) -> str:
        """A column as it can be compared with `value`: instants kept as text are read as instants."""
        if kind in {"date", "timestamp", "timestamptz"} and declared.upper() in {"VARCHAR", "TEXT"}:
            return f"try_cast({quoted(column)} as {'timestamptz' if kind == 'timestamptz' else 'timestamp'})"
        return quoted(column)

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

    # --- the snapshot ---

    def attach(self) -> None:
        """Attach the database as `src`, read-only, and begin the snapshot.

        Raises: SourceError if it cannot be reached.
        """
        import duckdb

        try:
            self._attach()
            self.begin()
        except duckdb.Error as error:
            raise self.cannot_connect(error) from None

    def _attach(self) -> None:
        self.con.execute(f"attach {literal(self._place)} as src (type {self.source.connector}, read_only)")

    def begin(self) -> None:
        self.con.execute("begin transaction read only")

    def recover(self) -> None:
        """Go on after a statement failed: the streams that follow are read in a new snapshot."""
        import duckdb

        with suppress(duckdb.Error):
            self.con.execute("rollback")
        # A system that has gone away is found out, and named, by the next stream.
        with suppress(duckdb.Error):
            self.begin()

    def close(self) -> None:
        """End the snapshot. Left to DuckDB, a system that has gone away would end this process."""
        import duckdb

        with suppress(duckdb.Error):
            self.con.execute("rollback")

    def cannot_connect(self, error: BaseException) -> SourceError:
        reference = self.source.connection.dsn or self.source.connection.path
        return SourceError(
            f"{self.source.name}: cannot connect: {self.without_secret(error)}. Nothing was read. "
            f"Check that the system runs and that {reference} is right."
        )

    # --- for the kinds of database ---

    def _name(self, table: str) -> str:
        return "src." + ".".join(quoted(part) for part in table.split("."))

    def _select(self, table: str, columns: dict[str, str], where: Sequence[str] | None) -> str:
        listed = ", ".join(quoted(column) for column in columns)
        if where is None:
            return f"select {listed} from {table}"
        return " union all ".join(f"select {listed} from {table} where {condition}" for condition in where)

    def _write(self, select: str, file: Path) -> None:
        self.con.execute(f"copy ({select}) to {literal(str(file))} (format parquet, compression lz4_raw)")

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
        r")$"
    )
    _NUMERIC = re.compile(r"^numeric\((\d+),(-?\d+)\)$")

    @cached_property
    def _catalogue(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for table, column, kind, readable in self._native(
            "select n.nspname || '.' || c.relname as t, a.attname::text, format_type(a.atttypid, a.atttypmod) as k,"
            " has_column_privilege(c.oid, a.attnum, 'select') as r"
            " from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace"
            " where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'v', 'm', 'p', 'f')"
            " and n.nspname not in ('pg_catalog', 'information_schema') order by a.attrelid, a.attnum"
        ):
            # Asked for a table it may not read, PostgreSQL ends the snapshot that the other tables are read in.
            found.setdefault(table, {}).update({column: kind} if readable else {})
        return found

    def columns(self, table: str) -> dict[str, str]:
        columns = self._catalogue.get(table if "." in table else f"public.{table}")
        if columns is None:
            raise self._no_table(table, "it does not exist, or this login may not see it")
        if not columns:
            raise self._no_table(table, "this login has no right to select from it")
        return columns

    def copy(self, table: str, columns: dict[str, str], where: Sequence[str] | None, file: Path) -> None:
        condition = "" if where is None else " where " + " or ".join(f"({part})" for part in where)
        as_text = {column for column, kind in columns.items() if not self._is_plain(kind)}
        as_text |= self._not_numbers(table, columns, condition)
        if where is None and not as_text:
            super().copy(table, columns, None, file)
            return
        listed = ", ".join(
            f"{self._text(c, kind) if c in as_text else quoted(c)} as {quoted(c)}"
            for c, kind in columns.items()
        )
        native = f"select {listed} from {self._own_name(table)}{condition}"
        self._write(f"select * from postgres_query('src', {literal(native)})", file)

    def totals(self, table: str, sums: dict[str, str], by: str | None) -> dict[str, str]:
        # As text: PostgreSQL's sum has no fixed precision, and would arrive in floating point.
        answers = ["count(*)::text", *(f"sum({quoted(column)})::text" for column in sums.values())]
        listed = [f"{answer} as a{place}" for place, answer in enumerate(answers)]
        month = "" if by is None else f"to_char({quoted(by)}, 'YYYY-MM') as period"
        return self._totals(listed, month, list(sums), self._native, self._own_name(table))

    def ordered(self, column: str, declared: str, kind: str) -> str:
        return super().ordered(column, declared, kind).replace("try_cast", "cast")

    def _is_plain(self, kind: str) -> bool:
        """Whether the scanner reads values of this type unchanged.

        Scales below 0 or above the precision are allowed by PostgreSQL and end the process inside DuckDB.
        """
        numeric = self._NUMERIC.match(kind)
        if numeric:
            return int(numeric[1]) <= 38 and 0 <= int(numeric[2]) <= int(numeric[1])
        return self._PLAIN.match(kind) is not None

    def _not_numbers(self, table: str, columns: dict[str, str], condition: str) -> set[str]:
        """The columns of bounded numerics, if one of them holds NaN: the scanner makes it 0."""
        bounded = {column for column, kind in columns.items() if self._NUMERIC.match(kind)}
        if not bounded:
            return set()
        listed = ", ".join(quoted(column) for column in bounded)
        found = self._native(
            f"select bool_or('NaN' in ({listed})) as some from {self._own_name(table)}{condition}"
        )
        return bounded if found[0][0] else set()

    def _text(self, column: str, kind: str) -> str:
        return f"encode({quoted(column)}, 'hex')" if kind == "bytea" else f"{quoted(column)}::text"

    def _own_name(self, table: str) -> str:
        return ".".join(quoted(part) for part in table.split("."))

    def _native(self, sql: str) -> list[tuple]:
        return self.con.execute(f"select * from postgres_query('src', {literal(sql)})").fetchall()


class SqliteReader(Reader):
    """SQLite: its columns may hold values of any type; where one does, the values are read as text."""

    def copy(self, table: str, columns: dict[str, str], where: Sequence[str] | None, file: Path) -> None:
        import duckdb

        try:
            super().copy(table, columns, where, file)
        except duckdb.Error as error:
            if "declared as" not in str(error):
                raise
            # The failed scan has ended the snapshot: what follows is read in a new one.
            self.con.execute("rollback")
            self.con.execute("begin transaction read only")
            listed = ", ".join(f"cast({quoted(c)} as text) as {quoted(c)}" for c in columns)
            condition = "" if where is None else " where " + " or ".join(f"({part})" for part in where)
            native = f"select {listed} from {quoted(table)}{condition}"
            self._write(f"select * from sqlite_query('src', {literal(native)})", file)

    def _native(self, sql: str) -> list[tuple]:
        return self.con.execute(f"select * from sqlite_query('src', {literal(sql)})").fetchall()


def _reader(connector: str) -> type[Reader]:
    if connector == "mysql":
        from tieout.ingest.intake.mysql import MysqlReader

        return MysqlReader
    if connector in {"sqlserver", "oracle"}:
        from tieout.ingest.intake.drivers import DriverReader

        return DriverReader
    return {"postgres": PostgresReader, "sqlite": SqliteReader}[connector]


@contextmanager
def open_reader(source: Source) -> Generator[Reader]:
    """Attach a database read-only and hold one snapshot of it.

    Raises: SourceError if it cannot be reached; the message does not hold the connection string.
    """
    place = source.place()
    if source.connector == "sqlite" and not Path(place).is_file():
        raise SourceError(
            f"{source.name}: the database file {Path(place).name} does not exist. Nothing was read. "
            f"Check the connection in sources/{source.name}/source.yaml."
        )
    with connect(memory=INGEST_MEMORY) as con:
        reader = _reader(source.connector)(con, source, place)
        if source.connector in _EXTENSION:
            load_extension(con, _EXTENSION[source.connector])
        # A file written twice under one name must not be read from memory as it was before.
        con.execute("set enable_external_file_cache = false")
        # It would be drawn on standard output, into what a command answers.
        con.execute("set enable_progress_bar = false")
        try:
            reader.attach()
            yield reader
        finally:
            reader.close()
