"""Build the five doors of the company, or notice that they stand already.

What was built is remembered in `DIR/.built.json`: the fingerprint of everything the doors are made from,
and the content hash of every file. A build compares before it imports anything heavy.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sandbox.announce import read_env, write_env, write_whole
from sandbox.huaxin.erp import PARQUET, open_erp
from sandbox.huaxin.finance_drop import write_finance_drop
from sandbox.huaxin.people_drop import write_people_drop
from sandbox.huaxin.purchasing_drop import write_purchasing_drop
from sandbox.huaxin.stock_database import FILE as STOCK_FILE
from sandbox.huaxin.stock_database import stock_tables, write_stock_database

if TYPE_CHECKING:
    import duckdb

BUILT = ".built.json"
ENV_FILE = "doors.env"

_WRITERS: dict[str, Callable[[Path, duckdb.DuckDBPyConnection], None]] = {
    "hx_stock": lambda folder, erp: write_stock_database(folder, stock_tables(erp)),
    "hx_purchasing": write_purchasing_drop,
    "hx_finance": write_finance_drop,
    "hx_people": write_people_drop,
}
FILE_DOORS = tuple(_WRITERS)


class BuildError(Exception):
    """The doors could not be built; the message says what stands and what to do."""


@dataclass(frozen=True)
class Built:
    """What one build did: the doors it wrote, and those it found as they should be."""

    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    env_file: Path


def build(
    doors: Path, admin_dsn: str | None = None, reader_password: str | None = None, force: bool = False
) -> Built:
    """Make the doors under `doors` equal to the company's data.

    Args:
        doors: Folder of the doors; made if missing. A door that was changed by hand is written anew.
        admin_dsn: libpq DSN or URL of a PostgreSQL superuser; None leaves hx_sales as it is.
        reader_password: For the login `tieout_reader`; by default the one in doors.env, else a new one.
        force: Write everything, whatever stands there.

    Raises: BuildError if PostgreSQL cannot be reached or refuses; the file doors are written by then.
    """
    doors = doors.resolve()
    doors.mkdir(parents=True, exist_ok=True)
    fingerprint = _fingerprint()
    stale = [door for door in FILE_DOORS if force or not _stands(doors, door, fingerprint)]
    written = list(stale)
    if stale:
        with open_erp() as erp:
            for door in stale:
                _write_door(doors, door, erp)
        _remember(doors, fingerprint)
    env = read_env(doors / ENV_FILE)
    env |= {
        "HX_STOCK_DB": str(doors / "hx_stock" / STOCK_FILE),
        "HX_PURCHASING_DROP": str(doors / "hx_purchasing"),
        "HX_FINANCE_DROP": str(doors / "hx_finance"),
        "HX_PEOPLE_DROP": str(doors / "hx_people"),
    }
    write_env(doors / ENV_FILE, env)
    doors_kept = list(FILE_DOORS)
    if admin_dsn is not None:
        doors_kept.insert(0, "hx_sales")
        if _open_sales(doors, env, admin_dsn, reader_password, fingerprint, force):
            written.insert(0, "hx_sales")
    unchanged = tuple(door for door in doors_kept if door not in written)
    return Built(tuple(written), unchanged, doors / ENV_FILE)


def _open_sales(
    doors: Path, env: dict[str, str], admin_dsn: str, password: str | None, fingerprint: str, force: bool
) -> bool:
    """Make the sales database and its reader right; whether the database had to be written."""
    import psycopg

    from sandbox import postgres
    from sandbox.huaxin import sales_database

    known = env.get("HX_SALES_DSN")
    password = password or (unquote(urlsplit(known).password or "") if known else "")
    # The one thing that is not the same on every machine: a password must not be guessable.
    password = password or secrets.token_urlsafe(24)
    try:
        dsn = postgres.reader_dsn(admin_dsn, sales_database.DATABASE, password)
        stale = force or postgres.fingerprint_of(admin_dsn, sales_database.DATABASE) != fingerprint
        if stale:
            with open_erp() as erp:
                tables = sales_database.sales_tables(erp)
            postgres.make_reader(admin_dsn, password)
            sales_database.build_sales_database(admin_dsn, tables, fingerprint)
        elif not postgres.reader_can_log_in(dsn):
            postgres.make_reader(admin_dsn, password)
    except psycopg.Error as error:
        raise BuildError(
            f"hx_sales: PostgreSQL did not do what was asked: {str(error).strip()}\n"
            f"The file doors under {doors} are built; the sales database is as it was before. "
            f"Check that --postgres names a running server and a superuser, then build again."
        ) from None
    write_env(doors / ENV_FILE, env | {"HX_SALES_DSN": dsn})
    return stale


def _fingerprint() -> str:
    """Hash of everything the doors are made from: the recorded tables and the code that shapes them."""
    digest = hashlib.sha256()
    for path in sorted([*PARQUET.glob("*.parquet"), *Path(__file__).parent.glob("*.py")]):
        digest.update(f"{path.name}:{_hash(path)}\n".encode())
    return digest.hexdigest()


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _files(folder: Path) -> dict[str, str]:
    return {path.name: _hash(path) for path in sorted(folder.glob("*"))}


def _stands(doors: Path, door: str, fingerprint: str) -> bool:
    try:
        built = json.loads((doors / BUILT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return built.get("fingerprint") == fingerprint and built["doors"].get(door) == _files(doors / door)


def _remember(doors: Path, fingerprint: str) -> None:
    built = {"fingerprint": fingerprint, "doors": {door: _files(doors / door) for door in FILE_DOORS}}
    text = json.dumps(built, ensure_ascii=False, indent=1)
    write_whole(doors / BUILT, text + "\n", mode=0o644)


def _write_door(doors: Path, door: str, erp: duckdb.DuckDBPyConnection) -> None:
    """Write a door beside the old one, then change places; a build that dies leaves one that is rebuilt."""
    new, old = doors / f".{door}.new", doors / f".{door}.old"
    for left_over in (new, old):
        shutil.rmtree(left_over, ignore_errors=True)
    new.mkdir()
    _WRITERS[door](new, erp)
    if (doors / door).exists():
        (doors / door).rename(old)
    new.rename(doors / door)
    shutil.rmtree(old, ignore_errors=True)
