"""Databases that DuckDB has no scanner for, read through their Python driver: chunk by chunk, every value exact.

The driver's rows become Parquet row groups of CHUNK rows, so memory is bounded by the chunk. Conditions are the
same as everywhere; one connection holds one snapshot for all of a pull.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from sources.contract import Source
from tieout.engine import quoted
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.dialects import DIALECTS, Dialect, driver, quoted_name
from tieout.ingest.intake.readers import Reader

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

CHUNK = 20_000  # rows
_DECIMAL = re.compile(r"^decimal\((\d+),(\d+)\)$")


class DriverReader(Reader):
    """One database behind a DB-API connection.

    Args:
        dialect: What is particular to its kind; by default that of the source's connector.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, source: Source, place: str, dialect: Dialect | None = None
    ) -> None:
        super().__init__(con, source, place)
        self.dialect = dialect or DIALECTS[source.connector]()
        self._connection: Any = None

    # --- the snapshot ---

    def attach(self) -> None:
        try:
            package = driver(self.dialect)
        except ImportError as error:
            raise SourceError(f"{self.source.name}: {error}. Nothing was read.") from None
        try:
            self._connection = self.dialect.connect(package, self._place)
            self.begin()
        except Exception as error:  # every driver has errors of its own
            raise self.cannot_connect(error) from None

    def begin(self) -> None:
        note = self.dialect.begin(self._run, self._rows)
        if note and note not in self.notes:
            self.notes.append(note)

    def recover(self) -> None:
        with suppress(Exception):
            self._connection.rollback()
        with suppress(Exception):
            self.begin()

    def close(self) -> None:
        for act in ("rollback", "close"):
            with suppress(Exception):
                getattr(self._connection, act)()
        super().close()

    # --- what a reader answers ---

    def columns(self, table: str) -> dict[str, str]:
        found = self._tables.get(table)
        if found is None:
            schema, _, name = table.rpartition(".")
            schema_sql = self.dialect.text(schema) if schema else self.dialect.schema_sql
            with self._reading(table):
                rows = self._rows(self.dialect.catalogue(schema_sql, name))
            if not rows:
                raise self._no_table(table, "it does not exist, or this login may not read it")
            found = self._tables[table] = {
                name: self.dialect.declared(
                    kind, *(None if n is None else int(n) for n in (precision, scale))
                )
                for name, kind, precision, scale in rows
            }
        return found

    def copy(self, table: str, columns: dict[str, str], where: Sequence[str] | None, file: Path) -> None:
        import pyarrow.parquet as pq

        exact = {name: self.dialect.exact(quoted(name), kind) for name, kind in columns.items()}
        listed = ", ".join(f"{said} as {quoted(name)}" for name, (said, _) in exact.items())
        condition = "" if where is None else " where " + " or ".join(f"({part})" for part in where)
        schema = _schema({name: kind for name, (_, kind) in exact.items()})
        with self._reading(table), pq.ParquetWriter(file, schema) as writer:
            cursor = self._connection.cursor()
            try:
                cursor.arraysize = CHUNK
                cursor.execute(f"select {listed} from {quoted_name(table)}{condition}")
                while rows := cursor.fetchmany(CHUNK):
                    writer.write_table(_table(rows, schema))
            finally:
                with suppress(Exception):
                    cursor.close()

    def totals(self, table: str, sums: dict[str, str], by: str | None) -> dict[str, str]:
        answers = ", ".join(["count(*)", *(f"sum({quoted(column)})" for column in sums.values())])
        measures = ["rows", *(f"sum_{name}" for name in sums)]
        name = quoted_name(table)
        with self._reading(table):
            said = dict(zip(measures, self._rows(f"select {answers} from {name}")[0], strict=True))
            if by is not None:
                month = self.dialect.month(quoted(by))
                for period, *values in self._rows(f"select {month}, {answers} from {name} group by {month}"):
                    said |= {f"{m}[{period or 'none'}]": v for m, v in zip(measures, values, strict=True)}
        return {measure: _plain(value) for measure, value in said.items()}

    def ordered(self, column: str, declared: str, kind: str) -> str:
        return quoted(column)

    def value(self, text: str, kind: str) -> str:
        if kind in {"date", "timestamp", "timestamptz"}:
            return self.dialect.instant(text, kind == "timestamptz")
        if kind in {"bigint", "integer"} or kind.startswith("decimal"):
            return super().value(text, kind)
        return self.dialect.text(text)

    # --- small things ---

    def _native(self, sql: str) -> list[tuple]:
        with self._reading("its answer"):
            return self._rows(sql)

    def _rows(self, sql: str) -> list[tuple]:
        cursor = self._connection.cursor()
        try:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]
        finally:
            with suppress(Exception):
                cursor.close()

    def _run(self, sql: str) -> None:
        cursor = self._connection.cursor()
        try:
            cursor.execute(sql)
        finally:
            with suppress(Exception):
                cursor.close()

    @contextmanager
    def _reading(self, what: str) -> Generator[None]:
        """Every driver has errors of its own; here they become ours, without the connection string."""
        try:
            yield
        except SourceError:
            raise
        except Exception as error:
            raise SourceError(
                f"{self.source.name}: {what} could not be read to its end: {self.without_secret(error)}. "
                f"Nothing of it was loaded; what was loaded before stays. Repeat when the system is well."
            ) from None

    def without_secret(self, error: BaseException) -> str:
        line = super().without_secret(error)
        for found in re.findall(r"(?i)(?:pwd|password)=(\{[^}]*\}|[^;]+)|://[^:/@]*:([^@]+)@", self._place):
            for secret in filter(None, found):
                # The longest first: a password is written in several ways, one of them part of another.
                for written in sorted({secret, secret.strip("{}"), unquote(secret)}, key=len, reverse=True):
                    line = line.replace(written, "…")
        return line

    @cached_property
    def _tables(self) -> dict[str, dict[str, str]]:
        return {}


def _schema(kinds: dict[str, str]) -> pa.Schema:
    import pyarrow as pa

    def arrow(kind: str) -> pa.DataType:
        digits = _DECIMAL.match(kind)
        if digits:
            return pa.decimal128(int(digits[1]), int(digits[2]))
        return {"int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_(), "string": pa.string()}[kind]

    return pa.schema([(name, arrow(kind)) for name, kind in kinds.items()])


def _table(rows: Sequence[Sequence[object]], schema: pa.Schema) -> pa.Table:
    """One chunk. Raises: ArrowInvalid if a value does not fit the type that its column declares."""
    import pyarrow as pa

    arrays = []
    for place, field in enumerate(schema):
        values: list[object] = [row[place] for row in rows]
        if pa.types.is_string(field.type):
            values = [None if value is None else str(value) for value in values]
        elif pa.types.is_boolean(field.type):
            values = [None if value is None else bool(value) for value in values]
        elif pa.types.is_integer(field.type):
            values = [None if value is None else _whole(value) for value in values]
        elif pa.types.is_floating(field.type):
            values = [None if value is None else float(value) for value in values]  # ty: ignore[invalid-argument-type]
        else:
            values = [_decimal(value) for value in values]
        arrays.append(pa.array(values, type=field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _whole(value: Any) -> int:
    if int(value) != value:
        raise ValueError(f"{value!r} is no whole number")
    return int(value)


def _decimal(value: Any) -> Any:
    """Floating point has lost digits before it came here; that must not look like an exact amount."""
    from decimal import Decimal

    if isinstance(value, float):
        raise TypeError(f"{value!r} came as floating point, though its column is decimal")
    return value if value is None or isinstance(value, Decimal) else Decimal(value)


def _plain(value: object) -> str:
    """A total as text, without an exponent."""
    from decimal import Decimal

    return f"{value:f}" if isinstance(value, Decimal) else str(value)
