"""A second way from a PostgreSQL source to its values, to hold the raw tables against.

Both sides print every value as text and are compared value by value after the same plain reading of that
text by Python: no hash, no Parquet, nothing of the way the rows were loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

from sources.contract import Source

if TYPE_CHECKING:
    import duckdb
    import psycopg

Rows = dict[tuple[str | None, ...], tuple[object, ...]]


def source_rows(con: psycopg.Connection, source: Source, name: str) -> Rows:
    """Every row of the source's table by its key, as PostgreSQL prints it."""
    stream = source.streams[name]
    schema, _, table = stream.origin.rpartition(".")
    kinds = dict(
        con.execute(
            "select column_name, data_type from information_schema.columns where table_schema = %s and table_name = %s",
            [schema or "public", table],
        ).fetchall()
    )
    listed = []
    for column in stream.columns:
        said = '"' + stream.source_column(column).replace('"', '""') + '"'
        kind = kinds[stream.source_column(column)]
        if kind == "interval":
            listed.append(
                f"(extract(year from {said}) * 12 + extract(month from {said}))::bigint || ' months '"
                f" || extract(day from {said})::bigint || ' days '"
                f" || round(extract(epoch from {said} - date_trunc('day', {said})) * 1000000)::bigint || ' us'"
            )
        elif kind == "real":
            # Printed as short as its four bytes allow; held exactly in eight.
            listed.append(f"{said}::float8::text")
        elif kind == "bytea":
            listed.append(f"substr({said}::text, 3)")
        else:
            listed.append(f"{said}::text")
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in (schema or "public", table))
    con.execute("set timezone = 'UTC'")
    rows = con.execute(f"select {', '.join(listed)} from {quoted}").fetchall()  # ty: ignore[no-matching-overload]
    return _by_key(source, name, rows)


def raw_rows(con: duckdb.DuckDBPyConnection, source: Source, name: str) -> Rows:
    """Every row that holds now by its key, as DuckDB prints it."""
    listed = []
    for column, spec in source.streams[name].columns.items():
        said = f'"{column}"'
        if spec.type == "interval":
            listed.append(
                f"(extract('year' from {said}) * 12 + extract('month' from {said})) || ' months '"
                f" || extract('day' from {said}) || ' days ' || (extract('hour' from {said}) * 3600000000"
                f" + extract('minute' from {said}) * 60000000 + extract('microsecond' from {said})) || ' us'"
            )
        else:
            listed.append(f"cast({said} as varchar)")
    rows = con.execute(
        f'select {", ".join(listed)} from {source.raw_schema}."{name}" where not _is_deleted'
    ).fetchall()
    return _by_key(source, name, rows)


def differences(there: Rows, here: Rows) -> list[str]:
    """What is missing, what is too much, and every row that is not the same."""
    found = [f"missing {key}" for key in there.keys() - here.keys()]
    found += [f"not in the source {key}" for key in here.keys() - there.keys()]
    return found + [f"{key}: {row} is {here[key]}" for key, row in there.items() if here.get(key, row) != row]


def _by_key(source: Source, name: str, rows: list[tuple[str | None, ...]]) -> Rows:
    stream = source.streams[name]
    columns = list(stream.columns)
    plain = [_PLAIN.get(spec.type.split("(")[0], str) for spec in stream.columns.values()]
    places = [columns.index(column) for column in stream.key]
    found = {}
    for row in rows:
        read = tuple(_read(kind, text) for kind, text in zip(plain, row, strict=True))
        found[tuple(str(read[place]) for place in places)] = read
    assert len(found) == len(rows), f"{name}: the key does not name one row"
    return found


def _read(kind: Callable[[str], object], text: str | None) -> object:
    if text is None:
        return None
    try:
        return kind(text)
    except (ValueError, ArithmeticError):
        return text


_PLAIN: dict[str, Callable[[str], object]] = {
    "bigint": int,
    "integer": int,
    "decimal": Decimal,
    "double": float,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
}
