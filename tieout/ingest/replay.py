"""Replay: a new warehouse from landing alone, compared with the one that is held, and put in its place.

No source is asked. What landing does not know (runs, publishes, certificates, the history of checks) is carried
over. The new file is built beside the old one and replaces it by one rename, so a kill leaves the one or the other.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Source
from tieout.engine import INGEST_MEMORY, connect, literal, quoted
from tieout.fingerprint import schema_hashes, table_hash
from tieout.ingest.controls import compare_controls
from tieout.ingest.drift import effective_sources
from tieout.ingest.errors import IngestError
from tieout.ingest.landing import Landing
from tieout.ingest.ledger import REBUILT, ensure_ledger
from tieout.ingest.load import load_pending, pending
from tieout.ingest.tables import ensure_raw_tables
from tieout.progress import Progress
from tieout.settings import Settings

if TYPE_CHECKING:
    import duckdb

# What is made of the raw tables; staging and intermediate are views or steps towards it.
BUILT = ("marts", "metrics", "tie")
# When a batch was loaded and up to when a stream was seen unchanged say nothing about its rows.
_OF_THE_RUN = {"batch": ("loaded_at",), "watermark": ("complete_to",)}


class ReplayError(IngestError):
    """The warehouse cannot be compared or replaced; it was left as it is."""


@dataclass(frozen=True)
class Difference:
    """A table whose content is another one after replay; None rows: there is no such table."""

    table: str
    rows_held: int | None
    rows_rebuilt: int | None


@dataclass(frozen=True)
class Replayed:
    """What a replay loaded and found; no `differences` is the proof. `notes` say what limits it."""

    batches: int
    rows: int
    tables: int
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    replaced: bool


def replay(
    settings: Settings,
    sources: Mapping[str, Source],
    progress: Progress,
    now: datetime,
    *,
    build: Callable[[Settings], None] | None,
    check: bool,
) -> Replayed:
    """Rebuild the warehouse from landing, compare, and (unless `check`) put it in the place of the old one.

    The caller holds the refresh lock.

    Args:
        build: Makes marts and metrics in the warehouse of the settings it is given; None compares raw tables only.
        check: Only compare.

    Raises: ReplayError, or whatever `build` raises; then the old warehouse stays.
    """
    if build is None and not check:
        raise ReplayError("a warehouse without marts cannot replace one that has them. Nothing was done.")
    _sweep(settings)
    aside = replace(settings, home=settings.home / f".replay-{os.getpid()}")
    aside.home.mkdir(parents=True)
    landing = Landing(settings.landing)
    sources = effective_sources(sources, landing)
    try:
        held, notes, unread = _held(settings, sources, landing, built=build is not None)
        batches, rows = load_everything(aside.warehouse, sources, landing, progress, now)
        if held is not None:
            carry_over(settings.warehouse, aside.warehouse)
            keep_compiled(settings.warehouse, aside.warehouse)
        if build is not None:
            if settings.master.is_dir():  # keys that were given stay given
                shutil.copytree(settings.master, aside.master)
            build(aside)
        progress.start("compare")
        with connect(aside.warehouse, read_only=True) as con:
            rebuilt = contents(con, built=build is not None)
        found = differences(held or {}, rebuilt) if held is not None else ()
        progress.end(_compared(found, len(rebuilt), held is not None), ok=not found)
        if not check:
            if aside.master.is_dir():
                shutil.copytree(aside.master, settings.master, dirs_exist_ok=True)
            _put_in_place(aside.warehouse, settings.warehouse, unread, now)
        return Replayed(batches, rows, len(rebuilt), tuple(found), tuple(notes), not check)
    finally:
        shutil.rmtree(aside.home, ignore_errors=True)


def load_everything(
    warehouse: Path, sources: Mapping[str, Source], landing: Landing, progress: Progress, now: datetime
) -> tuple[int, int]:
    """Load every batch that may be loaded into a new warehouse file, in order; returns batches and rows read."""
    with connect(warehouse, memory=INGEST_MEMORY) as con:
        ensure_ledger(con)
        ensure_raw_tables(con, dict(sources))
        progress.start("load", len(pending(con, dict(sources), landing)))
        outcomes = load_pending(
            con, dict(sources), landing, now, lambda item: progress.advance(f"{item.source}.{item.stream}")
        )
        compare_controls(con, sources, landing)
        rows = sum(item.rows_in for item in outcomes)
        progress.end(f"{len(outcomes):,} batches with {rows:,} rows loaded from landing")
    return len(outcomes), rows


def carry_over(held: Path, new: Path) -> None:
    """Copy what landing does not know from one warehouse to another: all of `ops` that loading does not write."""
    with connect(new) as con:
        con.execute(f"attach {literal(str(held))} as held (read_only)")
        there = _tables(con, "held", "ops")
        here = _tables(con, None, "ops")
        for name, columns in there.items():
            if name in (*REBUILT, "engine"):
                continue
            if name in here:
                both = ", ".join(quoted(column) for column in columns if column in here[name])
                con.execute(
                    f"insert into ops.{quoted(name)} ({both}) select {both} from held.ops.{quoted(name)}"
                )
            else:
                con.execute(f"create table ops.{quoted(name)} as from held.ops.{quoted(name)}")
        if {"batch", "watermark"} <= set(there):
            con.execute(
                "update ops.batch as new set loaded_at = old.loaded_at from held.ops.batch as old"
                " where new.source = old.source and new.stream = old.stream and new.batch_id = old.batch_id"
            )
            con.execute(
                "update ops.watermark as new set complete_to = old.complete_to from held.ops.watermark as old"
                " where new.source = old.source and new.stream = old.stream and new.complete_to < old.complete_to"
            )
        con.execute("detach held")


def keep_compiled(held: Path, new: Path) -> None:
    """Copy the compiled SQL of metrics, which depends on definitions alone; its values are computed anew."""
    with connect(new) as con:
        con.execute(f"attach {literal(str(held))} as held (read_only)")
        there = _tables(con, "held", "metrics")
        con.execute("create schema if not exists metrics")
        for name in ("compiled_query", "export_query"):
            if name in there:
                con.execute(f"create or replace table metrics.{name} as from held.metrics.{name}")
        con.execute("detach held")


# --- comparing ------------------------------------------------------------------------------------


def contents(con: duckdb.DuckDBPyConnection, *, built: bool) -> dict[str, str]:
    """Content hash by table: every raw table with its past and history, the loader's ledger, and what is `built`."""
    schemas = [
        row[0]
        for row in con.execute(
            "select distinct schema_name from duckdb_tables() where starts_with(schema_name, 'raw_') order by 1"
        ).fetchall()
    ]
    found = schema_hashes(con, [*schemas, *(BUILT if built else ())])
    for name in REBUILT:
        left_out = _OF_THE_RUN.get(name)
        columns = f"* exclude ({', '.join(left_out)})" if left_out else "*"
        found[f"ops.{name}"] = table_hash(con, f"(select {columns} from ops.{name})")
    return found


def differences(held: Mapping[str, str], rebuilt: Mapping[str, str]) -> list[Difference]:
    """Tables whose hashes differ, or that only one side has."""
    return [
        Difference(table, _rows(held.get(table)), _rows(rebuilt.get(table)))
        for table in sorted({*held, *rebuilt})
        if held.get(table) != rebuilt.get(table)
    ]


def _rows(content: str | None) -> int | None:
    return int(content.split("-", 1)[0]) if content else None


def _held(
    settings: Settings, sources: Mapping[str, Source], landing: Landing, *, built: bool
) -> tuple[dict[str, str] | None, list[str], bool]:
    """Contents of the old warehouse, what limits the comparison, and whether the old file cannot be read at all."""
    import duckdb

    if not settings.warehouse.is_file():
        return None, ["there was no warehouse to compare with"], False
    notes = []
    try:
        with connect(settings.warehouse, read_only=True) as con:
            known = con.execute("select version from ops.engine").fetchone()
            if known and known[0] != f"v{duckdb.__version__}":
                notes.append(
                    f"the warehouse was written by DuckDB {known[0]}: row hashes differ for that alone"
                )
            if waiting := pending(con, dict(sources), landing):
                notes.append(
                    f"{len(waiting)} batches had landed but were not loaded yet; their tables differ for that"
                )
            return contents(con, built=built), notes, False
    except duckdb.Error as error:
        if "lock" in str(error):
            raise ReplayError(
                f"the warehouse {settings.warehouse.name} is open in another program. Nothing was done; close it "
                f"there, then repeat."
            ) from None
        first = str(error).splitlines()[0]
        notes.append(f"the old warehouse could not be read, so nothing was compared or carried over: {first}")
        return None, notes, True


def _compared(found: Iterable[Difference], tables: int, comparable: bool) -> str:
    if not comparable:
        return f"{tables} tables rebuilt, nothing to compare with"
    count = len(list(found))
    return f"{tables - count} of {tables} tables are as they were held" + (
        f", {count} differ" if count else ""
    )


# --- files ----------------------------------------------------------------------------------------


def _put_in_place(new: Path, old: Path, unread: bool, now: datetime) -> None:
    """One rename; a log the old file left behind is worked off first, or DuckDB would apply it to the new file."""
    log = old.with_name(old.name + ".wal")
    if unread:
        for path in (old, log):
            with suppress(FileNotFoundError):
                path.rename(path.with_name(f"{path.name}.unreadable-{now.astimezone(UTC):%Y%m%dT%H%M%S}"))
    elif log.exists():
        with connect(old) as con:
            con.execute("checkpoint")
    with connect(new) as con:
        con.execute("checkpoint")
    if new.with_name(new.name + ".wal").exists() or log.exists():
        raise ReplayError(
            "a write-ahead log is left beside a warehouse file. Nothing was replaced; repeat the command."
        )
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(old)
    folder = os.open(old.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _sweep(settings: Settings) -> None:
    for left in settings.home.glob(".replay-*"):  # of a replay that was killed
        shutil.rmtree(left, ignore_errors=True)


def _tables(con: duckdb.DuckDBPyConnection, database: str | None, schema: str) -> dict[str, list[str]]:
    """Base tables of a schema with their columns, in one attached database or the one opened."""
    found: dict[str, list[str]] = {}
    for table, column in con.execute(
        "select c.table_name, c.column_name from duckdb_columns() as c"
        " semi join duckdb_tables() as t on t.table_oid = c.table_oid and t.database_name = c.database_name"
        " and t.schema_name = c.schema_name"
        " where c.database_name = coalesce(?, current_database()) and c.schema_name = ?"
        " order by c.table_name, c.column_index",
        [database, schema],
    ).fetchall():
        found.setdefault(table, []).append(column)
    return found
