"""Whether a loaded table holds what the invented system holds: every row by its key, value by value.

The store's canonical texts are read by Python alone; nothing of the way the rows were loaded is used.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sandbox.store import Field, Table
from sources.contract import Source

if TYPE_CHECKING:
    import duckdb

Rows = dict[tuple[Any, ...], tuple[Any, ...]]


def store_rows(source: Source, stream: str, table: Table) -> Rows:
    """The rows of a store's table as the contract names and types them, by key."""
    promise = source.streams[stream]
    names = [item.name for item in table.fields]
    places = {column: names.index(promise.source_column(column).lstrip("@")) for column in promise.columns}
    found: Rows = {}
    for row in table.rows:
        read = {
            column: _value(table.fields[place], promise.columns[column].type, row[place], source.timezone)
            for column, place in places.items()
        }
        found[tuple(read[column] for column in promise.key)] = tuple(read.values())
    assert len(found) == len(table.rows), f"{stream}: the key does not name one row"
    return found


def held_rows(con: duckdb.DuckDBPyConnection, source: Source, stream: str) -> Rows:
    """The rows that hold now in the warehouse, by key."""
    promise = source.streams[stream]
    listed = ", ".join(
        f"timezone('UTC', \"{column}\")" if spec.type == "timestamptz" else f'"{column}"'
        for column, spec in promise.columns.items()
    )
    rows = con.execute(
        f'select {listed} from {source.raw_schema}."{stream}" where not _is_deleted'
    ).fetchall()
    places = [list(promise.columns).index(column) for column in promise.key]
    found = {tuple(row[place] for place in places): row for row in rows}
    assert len(found) == len(rows), f"{stream}: a key is held twice"
    return found


def differences(there: Rows, here: Rows) -> list[str]:
    """What is missing, what is too much, and every row that is not the same."""
    found = [f"missing {key}" for key in there.keys() - here.keys()]
    found += [f"not in the source {key}" for key in here.keys() - there.keys()]
    return found + [f"{key}: {row} is {here[key]}" for key, row in there.items() if here.get(key, row) != row]


def _value(field: Field, promised: str, value: Any, zone: str) -> Any:
    if value is None or value == "":
        return None
    if field.kind == "instant":
        moment = datetime.fromisoformat(value).astimezone(UTC)
        # A file that names no zone holds local time; an instant is compared in UTC.
        return (moment.astimezone(ZoneInfo(zone)) if promised == "timestamp" else moment).replace(tzinfo=None)
    kind = promised.split("(")[0]
    return _READ.get(kind, str)(value)


_READ: dict[str, Callable[[Any], Any]] = {
    "bigint": int,
    "integer": int,
    "decimal": Decimal,
    "boolean": bool,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
}
