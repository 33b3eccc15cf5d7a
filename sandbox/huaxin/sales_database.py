"""Door 1, sales and CRM: the PostgreSQL database `huaxin_sales`, with the ERP's own table names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.huaxin.erp import Table, read_filled
from sandbox.postgres import replace_database

if TYPE_CHECKING:
    import duckdb
    from psycopg import sql

    from sandbox.postgres import Connection

DATABASE = "huaxin_sales"

_CUSTOMERS = "select id from party_party where code like 'C%'"
# Table -> which rows the sales system knows. Suppliers and employees are kept by other departments.
TABLES = {
    "account_invoice_payment_term": "true",
    "account_tax": "true",
    "currency_currency": "true",
    "currency_currency_rate": "true",
    "party_address": f"party in ({_CUSTOMERS})",
    "party_contact_mechanism": f"party in ({_CUSTOMERS})",
    "party_identifier": f"party in ({_CUSTOMERS})",
    "party_party": "code like 'C%'",
    "product_category": "true",
    "product_list_price": "true",
    "product_product": "true",
    "product_template": "true",
    "product_template-product_category": "true",
    "product_uom": "true",
    "product_uom_category": "true",
    "sale_line": "true",
    "sale_line-account_tax": "true",
    "sale_opportunity": "true",
    "sale_opportunity_line": "true",
    "sale_sale": "true",
}


def sales_tables(erp: duckdb.DuckDBPyConnection) -> list[Table]:
    """Every table of the sales system."""
    return [read_filled(erp, table, where) for table, where in TABLES.items()]


def build_sales_database(admin_dsn: str, tables: list[Table], fingerprint: str) -> None:
    """Fill the database anew; the reader's login exists already."""

    def write(con: Connection) -> None:
        for table in tables:
            _write(con, table)

    replace_database(admin_dsn, DATABASE, fingerprint, write)


def _write(con: Connection, table: Table) -> None:
    from psycopg import sql

    columns = [
        sql.SQL("{} {}{}").format(
            sql.Identifier(name),
            _postgres_type(kind),
            sql.SQL(" primary key" if name == "id" else ""),
        )
        for name, kind in zip(table.columns, table.types, strict=True)
    ]
    name = sql.Identifier("public", table.name)
    con.execute(sql.SQL("create table {} ({})").format(name, sql.SQL(", ").join(columns)))
    with con.cursor().copy(sql.SQL("copy {} from stdin").format(name)) as copy:
        for row in table.rows:
            copy.write_row(row)


def _postgres_type(kind: str) -> sql.Composable:
    from psycopg import sql

    if kind.startswith("DECIMAL("):
        precision, scale = kind.removeprefix("DECIMAL(").removesuffix(")").split(",")
        return sql.SQL("numeric({}, {})").format(sql.Literal(int(precision)), sql.Literal(int(scale)))
    # The ERP writes instants in UTC into columns without a zone; a reader has to know.
    return {
        "BIGINT": sql.SQL("bigint"),
        "BOOLEAN": sql.SQL("boolean"),
        "DATE": sql.SQL("date"),
        "TIMESTAMP": sql.SQL("timestamp(6) without time zone"),
        "VARCHAR": sql.SQL("text"),
    }[kind]
