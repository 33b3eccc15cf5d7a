"""Build the company's systems below a folder, or notice that they stand already.

`systems/` holds a store for every emulated system, `databases/` the SQLite databases, `drops/` the files, `answers/` the
key that nobody of the platform reads, `doors.env` the addresses and secrets. A changed seed, scale or line of code
builds everything anew; faults that were planted are gone then.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, LiteralString
from urllib.parse import unquote, urlsplit

from sandbox.announce import read_env, write_env, write_whole
from sandbox.store import Table, write_store

if TYPE_CHECKING:
    from sandbox.postgres import Connection

BUILT, ENV_FILE = ".built.json", "doors.env"
DATABASE = "huachen_mes"
_TYPES: dict[str, LiteralString] = {
    "integer": "bigint",
    "decimal": "numeric(38, 6)",
    "date": "date",
    "instant": "timestamptz",
    "flag": "boolean",
}


class BuildError(Exception):
    """The systems could not be built; the message says what stands and what to do."""


@dataclass(frozen=True)
class Built:
    """Whether anything was written, and where everything is."""

    written: bool
    folder: Path
    env_file: Path


def build(
    folder: Path,
    seed: int = 2026,
    scale: int = 1,
    admin_dsn: str | None = None,
    force: bool = False,
    say: Callable[[str], None] = lambda _: None,
    until: date | None = None,
) -> Built:
    """Make the systems below `folder` equal to the history of this seed and scale.

    Args:
        until: The systems hold what had happened up to and with this day; None is the end of the history.
        admin_dsn: libpq DSN or URL of a PostgreSQL superuser, for the MES; None leaves it out.
        say: Told what is being written, for long builds.

    Raises: BuildError if PostgreSQL cannot be reached or refuses, or if there is no history on `until`.
    """
    from sandbox.huachen.world.history import FIRST, LAST

    if until and not FIRST <= until <= LAST:
        raise BuildError(
            f"nothing is known of {until}: the history goes from {FIRST} to {LAST}. Nothing was built."
        )
    until = None if until == LAST else until
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {"seed": seed, "scale": scale, "code": _fingerprint(), "mes": admin_dsn is not None}
    if until:
        wanted["until"] = until.isoformat()
    since = _looked_at(_built(folder), wanted)
    if since:
        wanted["since"] = since.isoformat()
    env_file = folder / ENV_FILE
    if (
        not force
        and env_file.is_file()
        and _built(folder) == wanted
        and _database_stands(env_file, admin_dsn, wanted)
    ):
        return Built(False, folder, env_file)
    (folder / BUILT).unlink(missing_ok=True)

    from sandbox.huachen.answers import write_answers
    from sandbox.huachen.systems import systems
    from sandbox.huachen.world import Spelling, world

    say(f"{f'history until {until}' if until else 'two years of history'}, seed {seed}, scale {scale}")
    made = world(seed, scale, until, since)
    spelling = Spelling(made)
    for part in ("systems", "databases", "drops", "answers"):
        shutil.rmtree(folder / part, ignore_errors=True)
        (folder / part).mkdir()
    env: dict[str, str] = {}
    for name, system in systems().items():
        say(f"{name}: {system.VENDOR}")
        if system.VENDOR == "files":
            (folder / "drops" / name).mkdir()
            system.write(folder / "drops" / name, made, spelling)
            env[f"HC_{name.upper()}_DROP"] = str(folder / "drops" / name)
        elif system.VENDOR == "sqlite":
            write_store(folder / "databases" / f"{name}.sqlite", system.tables(made, spelling))
            env[f"HC_{name.upper()}_DB"] = str(folder / "databases" / f"{name}.sqlite")
        elif system.VENDOR == "postgres":
            if admin_dsn:
                env[f"HC_{name.upper()}_DSN"] = _write_database(
                    env_file, admin_dsn, wanted, system.tables(made, spelling)
                )
        else:
            env |= _write_system(folder / "systems", name, system, system.tables(made, spelling))
    write_answers(folder / "answers", made, spelling)
    write_env(env_file, env)
    (folder / BUILT).write_text(json.dumps(wanted) + "\n", encoding="utf-8")
    return Built(True, folder, env_file)


def _write_system(folder: Path, name: str, system: ModuleType, tables: list[Table]) -> dict[str, str]:
    """The store of an emulated system and what its tenant is called; returns the secrets as they are announced."""
    write_store(folder / f"{name}.sqlite", tables)
    said = {"vendor": system.VENDOR, "options": system.OPTIONS}
    write_whole(folder / f"{name}.json", json.dumps(said, ensure_ascii=False, indent=1) + "\n")
    return {f"HC_{name.upper()}_{option.upper()}": value for option, value in system.OPTIONS.items()}


def _write_database(env_file: Path, admin_dsn: str, wanted: Mapping[str, object], tables: list[Table]) -> str:
    import psycopg

    from sandbox import postgres

    known = read_env(env_file).get("HC_MES_DSN")
    password = unquote(urlsplit(known).password or "") if known else _password_of_the_other(env_file)
    try:
        postgres.make_reader(admin_dsn, password)
        postgres.replace_database(
            admin_dsn, DATABASE, json.dumps(wanted), lambda con: fill_database(con, tables)
        )
    except psycopg.Error as error:
        raise BuildError(
            f"mes: PostgreSQL did not do what was asked: {str(error).strip()}\n"
            f"Nothing below {env_file.parent} counts as built. Check that --postgres names a running server and a "
            f"superuser, then build again."
        ) from None
    return postgres.reader_dsn(admin_dsn, DATABASE, password)


def _password_of_the_other(env_file: Path) -> str:
    """The login may exist for another company on the same server; then its password is kept, for both use it."""
    other = read_env(env_file.parent.parent / "company" / ENV_FILE).get("HX_SALES_DSN")
    return unquote(urlsplit(other).password or "") if other else secrets.token_urlsafe(24)


def fill_database(con: Connection, tables: list[Table]) -> None:
    for table in tables:
        _fill(con, table)


def _fill(con: Connection, table: Table) -> None:
    from psycopg import sql

    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(item.name), sql.SQL(_TYPES.get(item.kind, "text")))
        for item in table.fields
    )
    name = sql.Identifier("public", table.name)
    key = sql.SQL(", ").join(map(sql.Identifier, table.key))
    con.execute(sql.SQL("create table {} ({}, primary key ({}))").format(name, columns, key))
    con.execute(sql.SQL("comment on table {} is {}").format(name, sql.Literal(table.title)))
    for item in table.fields:
        column = sql.Identifier("public", table.name, item.name)
        con.execute(sql.SQL("comment on column {} is {}").format(column, sql.Literal(item.title)))
    flags = [place for place, item in enumerate(table.fields) if item.kind == "flag"]
    with con.cursor().copy(sql.SQL("copy {} from stdin").format(name)) as copy:
        for row in table.rows:
            copy.write_row(
                [
                    bool(value) if place in flags and value is not None else value
                    for place, value in enumerate(row)
                ]
            )


def _database_stands(env_file: Path, admin_dsn: str | None, wanted: Mapping[str, object]) -> bool:
    if admin_dsn is None:
        return True
    from sandbox import postgres

    dsn = read_env(env_file).get("HC_MES_DSN")
    return (
        bool(dsn)
        and postgres.fingerprint_of(admin_dsn, DATABASE) == json.dumps(wanted)
        and postgres.reader_can_log_in(str(dsn))
    )


def _looked_at(before: Mapping[str, object], wanted: Mapping[str, object]) -> date | None:
    """The first day on which this same company stood here, if it has lived on since."""
    if any(before.get(name) != wanted[name] for name in ("seed", "scale", "code")):
        return None
    now = str(wanted.get("until") or date.max)
    if "until" not in before or str(before["until"]) >= now:
        # built again as it is, with what it said the last time; or gone back to an earlier day
        return date.fromisoformat(str(before["since"])) if _same_day(before, wanted) else None
    return date.fromisoformat(str(before.get("since") or before["until"]))


def _same_day(before: Mapping[str, object], wanted: Mapping[str, object]) -> bool:
    return "since" in before and before.get("until") == wanted.get("until")


def _built(folder: Path) -> dict[str, object]:
    try:
        return json.loads((folder / BUILT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _fingerprint() -> str:
    """Hash of the code that invents and dresses the company."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for path in sorted([*here.rglob("*.py"), here.parent / "store.py"]):
        digest.update(path.relative_to(here.parent).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]
