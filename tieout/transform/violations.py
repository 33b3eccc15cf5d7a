"""The rows for which a test of dbt does not hold, read with the test's own compiled SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tieout.engine import quoted, relations

if TYPE_CHECKING:
    import duckdb

ROWS = 200
_DOCUMENT = re.compile(r"(_no|_reference)$")


def violating(con: duckdb.DuckDBPyConnection, compiled: Path, test: str) -> list[dict[str, Any]]:
    """Rows a test returns, column by column; nothing if it was never compiled.

    Args:
        con: The warehouse.
        compiled: Folder below which dbt keeps the SQL of a test as `<name>.sql`.
        test: Its unique id.
    """
    for path in sorted(compiled.rglob(f"{name_of(test)}.sql"))[:1]:
        sql = path.read_text("utf-8")
        cursor = con.execute(
            f"select * from ({sql}\n) as violating limit {ROWS}"
        )  # its last line may be a comment
        names = [item[0] for item in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return []


def name_of(test: str) -> str:
    """The name of a test by which its file is called: `test.tieout.<name>`, or with a hash behind it."""
    return test.split(".")[2]


def reason(compiled: Path, test: str) -> str:
    """What a test is there for, as its file begins with it; nothing for those that are generated from a word."""
    for path in sorted(compiled.rglob(f"{name_of(test)}.sql"))[:1]:
        lines = path.read_text("utf-8").lstrip().splitlines()
        said = [line.removeprefix("--").strip() for line in lines[: _comments(lines)]]
        return " ".join(said)
    return ""


def _comments(lines: list[str]) -> int:
    return next((place for place, line in enumerate(lines) if not line.startswith("--")), len(lines))


def fact_row(con: duckdb.DuckDBPyConnection, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The row of a mart that a violating row names by `table_name` and `row_key`; nothing if it names none."""
    table, key = row.get("table_name"), row.get("row_key")
    if not table or not key or f"marts.{table}" not in relations(con):
        return None
    column = str(table).removeprefix("fct_").removeprefix("dim_") + "_key"
    cursor = con.execute(f"select * from marts.{quoted(table)} where {quoted(column)} = ?", [key])
    names = [item[0] for item in cursor.description or ()]
    found = cursor.fetchone()
    return dict(zip(names, found, strict=True)) if found else None


def told(con: duckdb.DuckDBPyConnection, row: Mapping[str, Any]) -> str:
    """One violating row in a line: its document and the row of the source it came from; values are not shown."""
    known = fact_row(con, row) or row
    said = [f"{name} {value}" for name, value in known.items() if _DOCUMENT.search(name) and value][:1]
    place = [known.get(name) for name in ("source_system", "source_stream", "source_record")]
    said += ["/".join(map(str, place))] if all(place) else []
    if row.get("table_name"):
        said.insert(0, str(row["table_name"]))
    return " · ".join(said)
