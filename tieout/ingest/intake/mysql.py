"""MySQL and MariaDB: everything of a pull in one read-only snapshot, scanned where the scanner keeps every value.

What DuckDB's MySQL scanner (1.5.5) would change or takes very long for is asked in the server's own SQL, inside the
same snapshot, in pages of the primary key so that memory stays bounded:

- dates that are none ('0000-00-00' comes as null, '2024-02-31' ends the query): as text, for quarantine to name;
- decimals of more than 38 digits (come as floating point), and of more than 18 (20 µs a value, as text 0.1);

and on the way through DuckDB: binary strings become hexadecimal text, bit strings numbers.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from functools import cached_property
from pathlib import Path

from tieout.engine import literal, quoted
from tieout.ingest.intake.readers import Reader

PAGE_ROWS, PAGE_BYTES = 100_000, 32_000_000  # of one question in the server's own SQL; it is held in memory
_NUMBERS = {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal"}
_BINARY = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}
_DATES = {"date", "datetime", "timestamp"}
_AS_IT_IS = _NUMBERS - {"decimal"} | {"float", "double", "time", "year", *_DATES}


class MysqlReader(Reader):
    """One MySQL or MariaDB; its snapshot does not depend on the isolation level the server is set to."""

    # A number is a number (tinyint(1) may hold 2, bit(1) is one however it is read); instants are UTC; large tables take longer than five minutes;
    # and the server must not copy a table to its own disk before it sends it.
    SETTINGS = (
        "mysql_tinyint1_as_boolean = false",
        "mysql_bit1_as_boolean = false",
        "mysql_session_time_zone = '+00:00'",
        "mysql_query_timeout_enabled = false",
        "mysql_sql_buffer_result = false",
    )

    def _attach(self) -> None:
        for setting in self.SETTINGS:
            self.con.execute(f"set {setting}")
        # Not `read_only`: that would forbid the statements of `begin`, which make the server itself refuse writes.
        self.con.execute(f"attach {literal(self._place)} as src (type mysql)")

    def begin(self) -> None:
        # A server set to READ COMMITTED would show every statement another state.
        self.con.execute("begin transaction read only")
        for statement in (
            "set session transaction isolation level repeatable read",
            "start transaction with consistent snapshot, read only",
        ):
            self.con.execute(f"call mysql_execute('src', {literal(statement)})")

    # --- rows ---

    def copy(self, table: str, columns: dict[str, str], where: Sequence[str] | None, file: Path) -> None:
        condition = " or ".join(f"({_in_own_sql(part)})" for part in where or [])
        rows, as_text = self._look(table, columns, condition)
        if where is None and not as_text:
            self._write(self._select(self._scan_name(table, columns), columns, None), file)
            return
        # The scanner asks for the whole table to find `is null`; the server finds it itself.
        parts = []
        for number, select in enumerate(self._native_selects(table, columns, as_text, condition, rows)):
            parts.append(file.with_name(f"{file.stem}.{number}.part"))
            self._write(select, parts[-1])
        if len(parts) == 1:
            parts[0].rename(file)
            return
        listed = ", ".join(literal(str(part)) for part in parts)
        self._write(f"select * from read_parquet([{listed}])", file)
        for part in parts:
            part.unlink()

    def totals(self, table: str, sums: dict[str, str], by: str | None) -> dict[str, str]:
        # In the server's own SQL: a sum over a scan would read the whole table a second time.
        answers = ["cast(count(*) as char)", *(f"cast(sum({backticked(c)}) as char)" for c in sums.values())]
        listed = [f"{answer} as a{place}" for place, answer in enumerate(answers)]
        month = ""
        if by is not None:
            no_date = _is_no_date(backticked(by))
            month = f"case when {no_date} then null else date_format({backticked(by)}, '%Y-%m') end as period"
        return self._totals(listed, month, list(sums), self._native, self._own_name(table))

    def ordered(self, column: str, declared: str, kind: str) -> str:
        said = super().ordered(column, declared, kind)
        return f"cast({quoted(column)} as datetime(6))" if "try_cast" in said else said

    def value(self, text: str, kind: str) -> str:
        if kind == "timestamptz":
            # The session is in UTC, and so are the scanner's instants; neither knows instants with a zone.
            (moment,) = self.con.execute(
                f"select timezone('UTC', {super().value(text, kind)})::text"
            ).fetchone() or ("",)
            return f"timestamp {literal(moment)}"
        if kind in {"date", "timestamp"}:
            return f"timestamp {literal(text)}"
        return super().value(text, kind)

    def _native(self, sql: str) -> list[tuple]:
        # Without `stream_results = false` it would run on another connection, outside of the snapshot.
        return self.con.execute(self._native_select(sql)).fetchall()

    def _native_select(self, sql: str) -> str:
        return f"select * from mysql_query('src', {literal(sql)}, stream_results = false)"

    # --- by scans ---

    def _scan_name(self, table: str, columns: dict[str, str]) -> str:
        """The scanned table; if it has binary columns, a subquery that gives them as text or number."""
        changed = [name for name in columns if columns[name] == "BLOB"]
        if not changed:
            return self._name(table)
        kinds = self._kinds(table)
        replaced = ", ".join(
            f"cast('0x' || hex({quoted(name)}) as ubigint) as {quoted(name)}"
            if kinds.get(name, ("",))[0] == "bit"
            else f"lower(hex({quoted(name)})) as {quoted(name)}"
            for name in changed
        )
        return f"(select * replace ({replaced}) from {self._name(table)})"

    # --- in the server's own SQL ---

    def _native_selects(
        self, table: str, columns: dict[str, str], as_text: set[str], condition: str, rows: int
    ) -> Generator[str]:
        kinds = self._kinds(table)
        listed = ", ".join(f"{_exact(c, *kinds[c], c in as_text)} as {backticked(c)}" for c in columns)
        for page in self._pages(table, condition, rows):
            yield self._native_select(f"select {listed} from {self._own_name(table)}{page}")

    def _pages(self, table: str, condition: str, expected: int) -> Generator[str]:
        """WHERE clauses that part the rows by primary key; one for all rows if the table has none."""
        schema, name = self._split(table)
        mine = f"table_schema = {schema} and table_name = {literal(name)}"
        key = [
            row[0]
            for row in self._native(
                f"select column_name from information_schema.key_column_usage where {mine}"
                " and constraint_name = 'PRIMARY' order by ordinal_position"
            )
        ]
        found = self._native(f"select avg_row_length from information_schema.tables where {mine}")
        wide = int(found[0][0] or 0) if found else 0
        rows = max(1_000, min(PAGE_ROWS, PAGE_BYTES // max(wide, 1)))
        if not key or expected <= rows:
            yield f" where {condition}" if condition else ""
            return
        kinds = self._kinds(table)
        said = ", ".join(f"{_spoken(column, kinds[column][0])} as k{n}" for n, column in enumerate(key))
        order = ", ".join(backticked(column) for column in key)
        low: tuple[str, ...] | None = None
        while True:
            bounds = [f"({condition})"] if condition else []
            bounds += [_beyond(key, low, ">", ">")] if low else []
            clause = f" where {' and '.join(bounds)}" if bounds else ""
            last = self._native(
                f"select {said} from {self._own_name(table)}{clause} order by {order} limit 1 offset {rows - 1}"
            )
            if not last:
                yield clause
                return
            high = last[0]
            bounds.append(_beyond(key, high, "<", "<="))
            yield f" where {' and '.join(bounds)}"
            low = high

    def _look(self, table: str, columns: dict[str, str], condition: str) -> tuple[int, set[str]]:
        """How many rows there are, and which columns must be read as text: slow ones, and those with dates that are none."""
        kinds = self._kinds(table)
        as_text = {name for name in columns if self._is_slow(table, name)}
        dates = [name for name in columns if kinds.get(name, ("",))[0] in _DATES]
        if not (dates or as_text or condition):
            return 0, as_text
        asked = [
            "count(*) as n",
            *(f"max({_is_no_date(backticked(name))}) as d{n}" for n, name in enumerate(dates)),
        ]
        clause = f" where {condition}" if condition else ""
        ((rows, *some),) = self._native(f"select {', '.join(asked)} from {self._own_name(table)}{clause}")
        return int(rows), as_text | {name for name, bad in zip(dates, some, strict=True) if bad}

    def _is_slow(self, table: str, column: str) -> bool:
        kind, digits = self._kinds(table).get(column, ("", None))
        return kind == "decimal" and digits is not None and digits > 18

    def _kinds(self, table: str) -> dict[str, tuple[str, int | None]]:
        """Type and number of digits of every column, as the server declares them."""
        schema, name = self._split(table)
        found = self._tables.get((schema, name))
        if found is None:
            found = self._tables[(schema, name)] = {
                column: (kind, None if digits is None else int(digits))
                for column, kind, digits in self._native(
                    "select column_name, data_type, numeric_precision from information_schema.columns"
                    f" where table_schema = {schema} and table_name = {literal(name)}"
                )
            }
        return found

    @cached_property
    def _tables(self) -> dict[tuple[str, str], dict[str, tuple[str, int | None]]]:
        return {}

    def _split(self, table: str) -> tuple[str, str]:
        """Schema (as SQL) and name of a table."""
        schema, _, name = table.rpartition(".")
        return (literal(schema) if schema else "database()"), name

    def _own_name(self, table: str) -> str:
        return ".".join(backticked(part) for part in table.split("."))


def _exact(column: str, kind: str, digits: int | None, as_text: bool) -> str:
    """A column in the server's SQL such that nothing on the way changes its value."""
    name = backticked(column)
    if kind in _BINARY:
        return f"lower(hex({name}))"
    if kind == "bit":
        return f"cast({name} as unsigned)"
    return name if kind in _AS_IT_IS and not as_text else f"cast({name} as char)"


def _spoken(column: str, kind: str) -> str:
    """SQL for the text of a literal that equals the column's value."""
    name = backticked(column)
    if kind in _NUMBERS:
        return f"cast({name} as char)"
    return (
        f"concat('x''', hex({name}), '''')" if kind in {*_BINARY, "bit"} else f"cast(quote({name}) as char)"
    )


def _beyond(key: Sequence[str], values: Sequence[str], strictly: str, at_last: str) -> str:
    """Whether a key lies beyond another, column by column: row comparisons do not use the index."""
    column, value = backticked(key[0]), values[0]
    if len(key) == 1:
        return f"{column} {at_last} {value}"
    rest = _beyond(key[1:], values[1:], strictly, at_last)
    return f"{column} {strictly}= {value} and ({column} {strictly} {value} or ({rest}))"


def _is_no_date(name: str) -> str:
    """0 or 1 (null for null): the server stores days that no calendar has."""
    return f"(day({name}) = 0 or month({name}) = 0 or day({name}) > day(last_day({name})))"


def _in_own_sql(condition: str) -> str:
    """A condition as the server reads it: names in backticks, backslashes in text doubled."""

    def change(match: re.Match[str]) -> str:
        part = match[0]
        return backticked(part[1:-1].replace('""', '"')) if part[0] == '"' else part.replace("\\", "\\\\")

    return re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", change, condition)


def backticked(name: str) -> str:
    """A name as MySQL quotes it."""
    return "`" + name.replace("`", "``") + "`"
