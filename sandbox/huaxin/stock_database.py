"""Door 2, warehouse and production: a SQLite file with the ERP's own table names.

SQLite has no decimal, date or boolean of its own: quantities and costs are REAL, dates are text
(`YYYY-MM-DD`), instants are text in UTC, booleans are 0 and 1.
"""

from __future__ import annotations

import datetime
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.huaxin.erp import Table, read, read_filled

if TYPE_CHECKING:
    import duckdb

FILE = "wms_mes.db"
TABLES = (
    "currency_currency",
    "product_cost_price",
    "product_product",
    "product_template",
    "product_uom",
    "production",
    "production_bom",
    "production_bom_input",
    "production_bom_output",
    "production_work",
    "production_work_center",
    "production_work_cycle",
    "stock_inventory",
    "stock_inventory_line",
    "stock_location",
    "stock_move",
    "stock_shipment_in",
    "stock_shipment_internal",
    "stock_shipment_out",
    "stock_shipment_out_return",
)
# The warehouse knows the names of those it ships to and receives from, and of nobody else.
_PARTNERS = """
    select id, code, name
    from party_party
    where
        id in (select customer from stock_shipment_out)
        or id in (select customer from stock_shipment_out_return)
        or id in (select supplier from stock_shipment_in)
    order by id
"""


def stock_tables(erp: duckdb.DuckDBPyConnection) -> list[Table]:
    """Every table of the warehouse and production system."""
    return [*(read_filled(erp, table) for table in TABLES), read(erp, "partner", _PARTNERS)]


def write_stock_database(folder: Path, tables: list[Table]) -> None:
    """Write the SQLite file into `folder`, which holds none yet; equal tables give equal bytes."""
    con = sqlite3.connect(folder / FILE, isolation_level=None)
    try:
        con.execute("pragma journal_mode = off")
        con.execute("begin")
        for table in tables:
            columns = ", ".join(
                f'"{name}" {"integer primary key" if name == "id" else _sqlite_type(kind)}'
                for name, kind in zip(table.columns, table.types, strict=True)
            )
            con.execute(f'create table "{table.name}" ({columns})')
            marks = ", ".join("?" * len(table.columns))
            con.executemany(
                f'insert into "{table.name}" values ({marks})',
                ([_sqlite_value(value) for value in row] for row in table.rows),
            )
        con.execute("commit")
    finally:
        con.close()


def _sqlite_type(kind: str) -> str:
    if kind.startswith("DECIMAL"):
        return "real"
    return {"BIGINT": "integer", "BOOLEAN": "boolean"}.get(kind, "text")


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value
