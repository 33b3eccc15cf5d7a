"""A company's database in PostgreSQL, and the read-only login that is handed to whoever may read it.

A database is filled beside the old one and renamed into place, so a build that dies leaves the old one whole (or,
between drop and rename, none: the next build sees that). Its comment carries the fingerprint of what it was made from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

READER = "tieout_reader"


def reader_dsn(admin_dsn: str, database: str, password: str) -> str:
    """The address of a database for the read-only login, as a URL without spaces."""
    from psycopg.conninfo import conninfo_to_dict

    admin = {key: str(value) for key, value in conninfo_to_dict(admin_dsn).items() if value is not None}
    host = admin.get("host", "127.0.0.1")
    port = admin.get("port", "5432")
    extra = f"?sslmode={admin['sslmode']}" if "sslmode" in admin else ""
    if host.startswith("/"):
        address, extra = "", f"?host={quote(host, safe='')}&port={port}"
    else:
        address = f"{host}:{port}"
    return f"postgresql://{READER}:{quote(password, safe='')}@{address}/{database}{extra}"


def fingerprint_of(admin_dsn: str, database: str) -> str | None:
    """What the present database was made from, or None when there is none."""
    with connected(admin_dsn) as con:
        row = con.execute(
            "select shobj_description(oid, 'pg_database') from pg_database where datname = %s", [database]
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

    with connected(admin_dsn) as con:
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


def replace_database(
    admin_dsn: str, database: str, fingerprint: str, write: Callable[[Connection], None]
) -> None:
    """Fill a new database and put it in the place of the old one; the reader's login exists already.

    Sessions on the old database are ended at the switch, so that a forgotten notebook cannot hold it up.

    Args:
        write: Creates and fills the tables, in the schema public, on a connection in a transaction.
    """
    from psycopg import sql

    building = f"{database}_building"
    new, old, reader = sql.Identifier(building), sql.Identifier(database), sql.Identifier(READER)
    with connected(admin_dsn) as con:
        con.execute(sql.SQL("drop database if exists {} with (force)").format(new))
        con.execute(sql.SQL("create database {} template template0 encoding 'UTF8'").format(new))
    with connected(admin_dsn, building, autocommit=False) as con:
        con.execute(sql.SQL("revoke all on schema public from public"))
        write(con)
        con.execute(sql.SQL("grant usage on schema public to {}").format(reader))
        con.execute(sql.SQL("grant select on all tables in schema public to {}").format(reader))
    with connected(admin_dsn, building) as con:
        con.execute("vacuum (analyze, freeze)")
    with connected(admin_dsn) as con:
        con.execute(sql.SQL("revoke all on database {} from public").format(new))
        con.execute(sql.SQL("grant connect on database {} to {}").format(new, reader))
        con.execute(sql.SQL("comment on database {} is {}").format(new, sql.Literal(fingerprint)))
        con.execute(sql.SQL("drop database if exists {} with (force)").format(old))
        con.execute(sql.SQL("alter database {} rename to {}").format(new, old))


def connected(admin_dsn: str, database: str | None = None, autocommit: bool = True) -> Connection:
    import psycopg
    from psycopg.conninfo import make_conninfo

    if database:
        admin_dsn = make_conninfo(admin_dsn, dbname=database)
    return psycopg.connect(admin_dsn, autocommit=autocommit, connect_timeout=10)
