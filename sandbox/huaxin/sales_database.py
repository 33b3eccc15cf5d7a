"""Door 1, sales and CRM: the PostgreSQL database `huaxin_sales`, with the ERP's own table names.

The database is filled beside the old one and renamed into place, so a build that dies leaves the old one
whole (or, between drop and rename, none: the next build sees that). Its comment carries the fingerprint of
what it was made from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sandbox.huaxin.erp import Table, read_filled

if TYPE_CHECKING:
    import duckdb
    import psycopg
    from psycopg import sql

DATABASE = "huaxin_sales"
BUILDING = "huaxin_sales_building"
READER = "tieout_reader"

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


def reader_dsn(admin_dsn: str, password: str) -> str:
    """The address of the sales database for the read-only login, as a URL without spaces."""
    from psycopg.conninfo import conninfo_to_dict

    admin = {key: str(value) for key, value in conninfo_to_dict(admin_dsn).items() if value is not None}
    host = admin.get("host", "127.0.0.1")
    port = admin.get("port", "5432")
    extra = f"?sslmode={admin['sslmode']}" if "sslmode" in admin else ""
    if host.startswith("/"):
        address, extra = "", f"?host={quote(host, safe='')}&port={port}"
    else:
        address = f"{host}:{port}"
    return f"postgresql://{READER}:{quote(password, safe='')}@{address}/{DATABASE}{extra}"


def database_fingerprint(admin_dsn: str) -> str | None:
    """What the present sales database was made from, or None when there is none."""
    with _connect(admin_dsn) as con:
        row = con.execute(
            "select shobj_description(oid, 'pg_database') from pg_database where datname = %s", [DATABASE]
        ).fetchone()
    return row[0] if row else None


def reader_can_log_in(dsn: str) -> bool:
    """Whether the address in doors.env still opens the database."""
    import psycopg

    try:
        psycopg.connect(dsn, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def make_reader(admin_dsn: str, password: str) -> None:
    """Create the read-only login, or give it this password again."""
    from psycopg import sql

    with _connect(admin_dsn) as con:
        known = con.execute("select 1 from pg_roles where rolname = %s", [READER]).fetchone()
        # Encrypted here, so that the server's statement log never holds the password itself.
        secret = con.pgconn.encrypt_password(password.encode(), READER.encode(), b"scram-sha-256").decode()
        verb = "alter" if known else "create"
        con.execute(
            sql.SQL(
                "{} role {} with login nosuperuser nocreatedb nocreaterole noreplication password {}"
            ).format(sql.SQL(verb), sql.Identifier(READER), sql.Literal(secret))
        )
        con.execute(
            sql.SQL("alter role {} set default_transaction_read_only = on").format(sql.Identifier(READER))
        )


def build_sales_database(admin_dsn: str, tables: list[Table], fingerprint: str) -> None:
    """Fill a new database and put it in the place of the old one; the reader's login exists already.

    Sessions on the old database are ended at the switch, so that a forgotten notebook cannot hold it up.
    """
    from psycopg import sql

    new, old, reader = sql.Identifier(BUILDING), sql.Identifier(DATABASE), sql.Identifier(READER)
    with _connect(admin_dsn) as con:
        con.execute(sql.SQL("drop database if exists {} with (force)").format(new))
        con.execute(sql.SQL("create database {} template template0 encoding 'UTF8'").format(new))
    with _connect(admin_dsn, BUILDING, autocommit=False) as con:
        con.execute(sql.SQL("revoke all on schema public from public"))
        for table in tables:
            _write(con, table)
        con.execute(sql.SQL("grant usage on schema public to {}").format(reader))
        con.execute(sql.SQL("grant select on all tables in schema public to {}").format(reader))
    with _connect(admin_dsn, BUILDING) as con:
        con.execute("vacuum (analyze, freeze)")
    with _connect(admin_dsn) as con:
        con.execute(sql.SQL("revoke all on database {} from public").format(new))
        con.execute(sql.SQL("grant connect on database {} to {}").format(new, reader))
        con.execute(sql.SQL("comment on database {} is {}").format(new, sql.Literal(fingerprint)))
        con.execute(sql.SQL("drop database if exists {} with (force)").format(old))
        con.execute(sql.SQL("alter database {} rename to {}").format(new, old))


def _connect(
    admin_dsn: str, database: str | None = None, autocommit: bool = True
) -> psycopg.Connection[tuple[Any, ...]]:
    import psycopg
    from psycopg.conninfo import make_conninfo

    if database:
        admin_dsn = make_conninfo(admin_dsn, dbname=database)
    return psycopg.connect(admin_dsn, autocommit=autocommit, connect_timeout=10)


def _write(con: psycopg.Connection[tuple[Any, ...]], table: Table) -> None:
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
