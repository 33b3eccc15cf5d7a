"""The ERP's tables as typed relations: the one place that knows how the recorded parquet files are typed.

The files were typed by inference, so a document number made of digits came out as a whole number and a
quantity that happens to be whole came out without decimals. Here every column gets the type the ERP means.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

PARQUET = Path(__file__).parent / "parquet"

MONEY = "decimal(18, 4)"
RATE = "decimal(18, 8)"
FACTOR = "decimal(24, 12)"

# Who of the ERP's own users keyed a row in says nothing outside the ERP.
_DROPPED = {"create_uid", "write_uid"}
_TEXT = {"number", "reference"}
_DECIMAL = {
    "actual_quantity",
    "cost_price",
    "fifo_quantity",
    "quantity",
    "quantity_to_invoice",
    "quantity_to_ship",
    "supplier_taxes_deductible_rate",
}
_SPECIAL = {
    ("account_fiscalyear", "name"): "text",
    ("account_tax", "rate"): RATE,
    ("currency_currency_rate", "rate"): RATE,
    ("currency_currency", "rounding"): FACTOR,
    ("product_uom", "factor"): FACTOR,
    ("product_uom", "rate"): FACTOR,
    ("product_uom", "rounding"): FACTOR,
}


@dataclass(frozen=True)
class Table:
    """Rows of one table. `types` are DuckDB's names: BIGINT, BOOLEAN, DATE, DECIMAL(p,s), TIMESTAMP, VARCHAR."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def open_erp(folder: Path = PARQUET) -> duckdb.DuckDBPyConnection:
    """An in-memory connection with one typed view per recorded table, named as in the ERP.

    Columns the ERP never filled in are `null` text in the recording; they stay, and the doors leave
    them out. One thread, so that files written from here are the same bytes every time.
    """
    import duckdb

    con = duckdb.connect()
    con.execute("set threads = 1")
    for path in sorted(folder.glob("*.parquet")):
        table = path.stem
        source = f"read_parquet('{str(path).replace(chr(39), chr(39) * 2)}')"
        described = con.execute(f"describe select * from {source}").fetchall()
        columns = ", ".join(
            f'cast("{name}" as {_meant(table, name, kind)}) as "{name}"'
            for name, kind, *_ in described
            if name not in _DROPPED
        )
        con.execute(f'create view "{table}" as select {columns} from {source}')
    return con


def _meant(table: str, column: str, inferred: str) -> str:
    if (table, column) in _SPECIAL:
        return _SPECIAL[table, column]
    if column in _TEXT:
        return "text"
    if column in _DECIMAL or inferred == "DOUBLE":
        return MONEY
    return inferred


def read(con: duckdb.DuckDBPyConnection, name: str, query: str) -> Table:
    """The answer of `query` as a `Table` called `name`."""
    answer = con.execute(query)
    columns = tuple(column[0] for column in answer.description or ())
    types = tuple(str(column[1]) for column in answer.description or ())
    return Table(name, columns, types, answer.fetchall())


def read_filled(con: duckdb.DuckDBPyConnection, table: str, where: str = "true") -> Table:
    """A table as the ERP has it, by id, without the columns that no row fills in."""
    every = read(con, table, f'select * from "{table}" where {where} order by id')
    kept = [at for at in range(len(every.columns)) if any(row[at] is not None for row in every.rows)]
    return Table(
        table,
        tuple(every.columns[at] for at in kept),
        tuple(every.types[at] for at in kept),
        [tuple(row[at] for at in kept) for row in every.rows],
    )
