"""Erasing one person, step by step; each may be repeated, so a kill anywhere is answered by the same command again.

Decide (pulls from now on know), write the landing again, the registry of keys, the texts beside them; build a new
warehouse from landing; make the SQL door anew, publish, and delete what was published before.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Source, read_sources
from tieout.engine import connect, literal, quoted
from tieout.ingest.drift import effective_sources
from tieout.ingest.landing import MANIFEST, Landing
from tieout.ingest.ledger import REBUILT
from tieout.ingest.load import pending
from tieout.privacy import state as under_way
from tieout.privacy.batches import Cleaned, clean
from tieout.privacy.erased import Erased, erase, erased
from tieout.privacy.figures import Compared, compare, figures
from tieout.privacy.person import Person, find
from tieout.privacy.registry import clean_registry, keep_together
from tieout.privacy.search import Hits, Search, files, scrub
from tieout.privacy.state import UnderWay
from tieout.privacy.tokens import FOLDER, EraseError, Tokens, tokens
from tieout.progress import Progress
from tieout.settings import Settings

if TYPE_CHECKING:
    import duckdb

# Text that is not made again: whatever it holds of the person is replaced in place.
_TEXTS = {".json", ".jsonl", ".log", ".txt", ".html", ".csv", ".yaml", ".sql", ".md", ""}


@dataclass(frozen=True)
class Done:
    """What an erasure changed: batches with their rows; `published` is the new publish, or why there is none."""

    person: Person
    batches: tuple[Cleaned, ...]
    published: str


@dataclass(frozen=True)
class Proof:
    """What was looked through and found, and whether every figure is as it was."""

    files: int
    tables: int
    values: int
    hits: Hits
    compared: tuple[Compared, ...]

    @property
    def holds(self) -> bool:
        return not self.hits and not any(item.differ for item in self.compared)


# --- what would go ------------------------------------------------------------------------------------


def plan(settings: Settings, asked: str) -> tuple[Person, list[Cleaned]]:
    """Whom `asked` names, and what every batch would lose; nothing is written.

    Raises: EraseError if nobody or more than one is meant, or a contract stands in the way.
    """
    landing, sources = _landing(settings)
    with connect(settings.warehouse, read_only=True) as con:
        person = _known(con, sources, landing, asked)
        known = Tokens(os.urandom(32))
        would = Erased(
            known,
            {place: frozenset(map(known.token, held)) for place, held in person.values.items()},
            {place: frozenset(map(known.token, held)) for place, held in person.own.items()},
            max((len(item.split()) for held in person.values.values() for item in held), default=1),
        )
    with connect() as con:
        return person, look(con, sources, landing, would)


def look(
    con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], landing: Landing, would: Erased
) -> list[Cleaned]:
    """What `clean` would do."""
    from tieout.privacy.rewrite import rewrite

    found = []
    for source in sources.values():
        for name in source.streams:
            for manifest in landing.batches(source.name, name):
                rows = rewrite(con, landing.data_file(manifest), source, name, would, look=True)
                if rows:
                    found.append(Cleaned(source.name, name, manifest.batch_id, rows, 0))
    return found


def _known(
    con: duckdb.DuckDBPyConnection, sources: dict[str, Source], landing: Landing, asked: str
) -> Person:
    if waiting := pending(con, sources, landing):
        raise EraseError(
            f"{len(waiting)} batches have landed but are not loaded, so nobody knows whom they name. Nothing was erased. "
            f"Run `tieout refresh`, then repeat."
        )
    return find(con, sources, asked)


# --- erasing ------------------------------------------------------------------------------------------


def erase_person(
    settings: Settings,
    progress: Progress,
    asked: str,
    *,
    by: str,
    reason: str,
    now: datetime | None = None,
    crash: Callable[[str], None] = lambda _: None,
    rebuild: Callable[[Settings, Progress, datetime], str] | None = None,
) -> Done:
    """Take one person out of everything below the installation's home; the caller holds the refresh lock.

    Afterwards `prove` may be asked; `forget` ends it. Killed anywhere, it goes on where it was when called again.

    Args:
        rebuild: Makes warehouse and doors anew from landing and returns the publish; the platform's, if not given.

    Raises: EraseError, DecisionError before anything is changed; whatever rebuilding raises after, then repeat.
    """
    now = now or datetime.now(UTC)
    landing, sources = _landing(settings)
    begun = _begin(settings, landing, sources, asked, by, reason, now)
    crash("erase-begun")
    begun = _decide(settings, landing, begun)
    crash("erase-decided")
    people = erased(landing.root)
    assert people is not None
    progress.start(
        "landing", sum(len(landing.batches(s.name, name)) for s in sources.values() for name in s.streams)
    )
    with connect() as con:
        cleaned = clean(con, sources, landing, people, now, crash)
    progress.end(_said(cleaned))
    crash("erase-landing")
    _clean_keys(settings, begun)
    notes = {value: begun.pseudonyms[value] for value in begun.person.sought}
    _clean_texts(settings, notes)
    crash("erase-keys")
    published = (rebuild or _rebuild)(settings, progress, now)
    _clean_texts(settings, notes)
    return Done(begun.person, tuple(cleaned), published)


def forget(settings: Settings) -> None:
    """The erasure is over: the file that named the person goes."""
    under_way.finish(settings.home)


def _landing(settings: Settings) -> tuple[Landing, dict[str, Source]]:
    landing = Landing(settings.landing)
    return landing, effective_sources(read_sources(settings.sources), landing)


def _begin(
    settings: Settings,
    landing: Landing,
    sources: dict[str, Source],
    asked: str,
    by: str,
    reason: str,
    now: datetime,
) -> UnderWay:
    """The erasure that is under way, or a new one, with the person and the figures as they are now."""
    begun = under_way.read(settings.home)
    if begun is not None:
        if begun.asked != asked:
            raise EraseError(
                f"an erasure begun at {begun.at[:16]} is not finished. Nothing was done for this one. Repeat that one first, "
                f"with the same PERSON: {under_way.FILE} in the installation's home says which."
            )
        return begun
    if not by.strip() or not reason.strip():
        raise EraseError("say who decides (--by NAME) and why (--reason TEXT). Nothing was erased.")
    with connect(settings.warehouse, read_only=True) as con:
        person = _known(con, sources, landing, asked)
        before = figures(con)
    known = tokens(landing.root, make=True)
    every = {value for held in person.values.values() for value in held}
    begun = UnderWay(
        asked,
        by,
        reason,
        now.isoformat(),
        person,
        {value: known.pseudonym(value) for value in sorted({*every, *person.sought})},
        before,
    )
    under_way.write(settings.home, begun)
    return begun


def _decide(settings: Settings, landing: Landing, begun: UnderWay) -> UnderWay:
    if begun.decided:
        return begun
    person = begun.person
    about = {"entity": person.entity or "", "master_key": person.master_key or ""}
    # A kill may have come between the two writings: the same decision twice says nothing new.
    erase(
        landing.root,
        person.values,
        person.own,
        about=about,
        by=begun.by,
        reason=begun.reason,
        now=datetime.fromisoformat(begun.at),
    )
    begun = replace(begun, decided=True)
    under_way.write(settings.home, begun)
    return begun


def _clean_keys(settings: Settings, begun: UnderWay) -> None:
    """Records keep their master key under their new id, and stay together."""
    person = begun.person
    renamed = {}
    for record in person.changed:
        system, _, key = record.partition(":")
        renamed[record] = f"{system}:{begun.pseudonyms[key]}"
    pieces = {value: begun.pseudonyms[value] for value in person.sought}
    clean_registry(settings.master, person.entity, person.records, renamed, pieces)
    if person.entity is not None and len(person.records) > 1:
        keep_together(
            settings.master,
            person.entity,
            [renamed.get(record, record) for record in person.records],
            by=begun.by,
            reason=begun.reason,
            now=datetime.fromisoformat(begun.at),
        )


def _clean_texts(settings: Settings, pseudonyms: Mapping[str, str]) -> None:
    """Logs, notes and reports in place; lines of `ops` that a new warehouse takes over."""
    for path in files(settings.home, lambda path: not _is_note(settings, path)):
        scrub(path, pseudonyms)
    if settings.warehouse.is_file():
        with connect(settings.warehouse) as con:
            _clean_ops(con, pseudonyms)


def _is_note(settings: Settings, path: Path) -> bool:
    """A text file that is neither a batch nor a key nor another system's."""
    if path.suffix not in _TEXTS or path.name in (under_way.FILE, "refresh.lock"):
        return False
    top = path.relative_to(settings.home).parts[0]
    if top == settings.landing.name:
        inside = path.relative_to(settings.landing).parts[:-1]
        ours = any(part.startswith("_") and part not in (settings.master.name, FOLDER) for part in inside)
        return ours or path.name == MANIFEST
    return top in {settings.logs.name, settings.pages.name, "dbt", "manners", "inbox", "process"}


def _clean_ops(con: duckdb.DuckDBPyConnection, pseudonyms: Mapping[str, str]) -> None:
    tables = con.execute(
        "select c.table_name, c.column_name from duckdb_columns() as c semi join duckdb_tables() as t"
        " on c.table_oid = t.table_oid and c.schema_name = t.schema_name"
        " where c.schema_name = 'ops' and c.data_type = 'VARCHAR' order by all"
    ).fetchall()
    for table, column in tables:
        if table in REBUILT:
            continue
        name = quoted(column)
        for value, pseudonym in pseudonyms.items():
            if not value.isascii() or len(value) > 5:
                con.execute(
                    f"update ops.{quoted(table)} set {name} = replace({name}, {literal(value)}, {literal(pseudonym)})"
                    f" where contains({name}, {literal(value)})"
                )


def _said(cleaned: list[Cleaned]) -> str:
    own, others = (sum(getattr(item.rows, name) for item in cleaned) for name in ("own", "others"))
    deleted = sum(item.evidence for item in cleaned)
    return (
        f"{own + others:,} rows of {len(cleaned)} batches written again ({own:,} of the person's own, {others:,} that name "
        f"them), {deleted} pages and files as received deleted"
    )


# --- everything made of the landing -------------------------------------------------------------------


def _rebuild(settings: Settings, progress: Progress, now: datetime) -> str:
    """A new warehouse file, a new database server, one snapshot: no block of the old ones is left.

    Raises: EraseError if strong rules do not hold afterwards; then nothing is published.
    """
    from tieout.ingest.replay import replay
    from tieout.refresh import crash_point, measure, publish_held, transform

    def build(aside: Settings) -> None:
        transform(aside, progress)
        measure(aside, progress)

    replay(settings, read_sources(settings.sources), progress, now, build=build, check=False)
    progress.warn("the tables that differ are those that named the person; figures are compared by --prove")
    crash_point("erase-warehouse")
    if settings.postgres_dsn is None:
        _remove_server(settings, now)
    outcome = publish_held(settings, progress, datetime.now(UTC))
    if outcome.publish_id is None:
        raise EraseError(
            f"{outcome.message}\nThe landing and the warehouse are without the person; what was published before is gone "
            f"or still holds them. Mend what the lines above name, then repeat the same command."
        )
    linked = (settings.snapshots / "current.duckdb").resolve()
    for file in settings.snapshots.glob("tieout-*.duckdb*"):
        if file.resolve() != linked:
            file.unlink()
    crash_point("erase-published")
    return outcome.publish_id


def _remove_server(settings: Settings, now: datetime) -> None:
    """Delete the embedded server with its files and its log of changes; who asked what is kept beside the logs."""
    from tieout.doors.server import PostgresServer

    if not settings.postgres.is_dir():
        return
    server = PostgresServer(settings.postgres)
    server.stop()
    if server.log_folder.is_dir():
        kept = settings.logs / f"postgres-{now:%Y%m%dT%H%M%S}"
        shutil.copytree(server.log_folder, kept, dirs_exist_ok=True)
        kept.chmod(0o700)
    server.remove()


# --- the proof ----------------------------------------------------------------------------------------


def prove(settings: Settings, *, leave_out: tuple[str, ...] = ()) -> Proof:
    """Look through every file below home, and through PostgreSQL, for what the erasure under way took out.

    Args:
        leave_out: Folders of home that are not the platform's, such as the sample systems.

    Raises: EraseError if no erasure is under way: then nobody knows any more what to look for.
    """
    begun = under_way.read(settings.home)
    if begun is None:
        raise EraseError("no erasure is under way, so nobody knows what to look for. Nothing was looked at.")
    search = Search(begun.person.sought)

    def other(path: Path) -> bool:
        inside = path.relative_to(settings.home)
        return inside.parts[0] in leave_out or path.name == under_way.FILE

    hits = search.folder(settings.home, leave_out=other)
    hits += _in_postgres(settings, search)
    with connect(settings.warehouse, read_only=True) as con:
        compared = compare(begun.figures, figures(con))
        compared.append(_same_key(con, begun.person))
    return Proof(search.files, search.tables, len(search.values), hits, tuple(compared))


def _same_key(con: duckdb.DuckDBPyConnection, person: Person) -> Compared:
    """The person's records are as many as before, under the key they had."""
    if person.master_key is None:
        return Compared("record", 0, ())
    row = con.execute(
        "select count(*) from master.crosswalk where entity = ? and master_key = ?",
        [person.entity, person.master_key],
    ).fetchone()
    now, was = (row[0] if row else 0), len(person.records)
    differ = () if now == was else (f"{person.master_key}: {was} records were, {now} are",)
    return Compared("record", 1, differ)


def _in_postgres(settings: Settings, search: Search) -> Hits:
    """The published tables, row by row as text: what a file of the server may hold packed."""
    import psycopg
    from psycopg import sql

    from tieout.doors.door import door_of
    from tieout.doors.server import PostgresServer

    hits: Hits = Hits()
    if settings.postgres_dsn is None:
        if not settings.postgres.is_dir():
            return hits
        home = PostgresServer(settings.postgres).home
        if not home.is_relative_to(settings.home):
            hits += search.folder(home, leave_out=lambda _: False)
    with door_of(settings).opened() as dsn, psycopg.connect(dsn) as con:
        tables = con.execute(
            "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            search.tables += 1
            counts = sql.SQL(", ").join(
                sql.SQL("count(*) filter (where position({} in cast(held as text)) > 0)").format(
                    sql.Literal(value)
                )
                for value in search.values
            )
            row = con.execute(
                sql.SQL("select {} from {} as held").format(counts, sql.Identifier(schema, table))
            ).fetchone()
            for value, count in zip(search.values, row or (), strict=True):
                if count:
                    hits[value, f"PostgreSQL: {schema}.{table}"] += count
    return hits
