"""Snapshot files for analysts: one DuckDB file per publish, physically masked to a clearance.

Never the warehouse file itself: a reader, even a read-only one, keeps the next refresh from writing. A
snapshot is never changed after it has its name; the link `current.duckdb` is switched to the newest. A
connection that is open keeps reading the file it opened; the next one sees the new.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.doors import access as rules
from tieout.doors.access import SCHEMAS, Class
from tieout.doors.publish import (
    PUBLISH_COMMENTS,
    PublishError,
    PublishMeta,
    data_hash_of,
    publish_facts,
    signed,
)
from tieout.doors.warehouse import SourceTable, reading, source_comments, source_tables
from tieout.engine import connect, literal, quoted
from tieout.fingerprint import table_hash
from tieout.metrics.macro import METRIC_MACRO, METRIC_TABLES

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)

LINK = "current.duckdb"


def write_snapshot(
    warehouse: Path | duckdb.DuckDBPyConnection,
    folder: Path,
    publish_id: str,
    *,
    meta: PublishMeta,
    clearance: Class = "L2",
    role: str | None = None,
    classes: Mapping[str, Mapping[str, str]] | None = None,
    unclassified: Class = "L2",
    comments: Mapping[str, str] | None = None,
    hashes: Mapping[str, str] | None = None,
    keep: int = 3,
    on_progress: Callable[[int, int, str], None] | None = None,
    on_step: Callable[[str], None] | None = None,
) -> Path:
    """Write `<folder>/tieout-<publish_id>.duckdb` and switch the link `<folder>/current.duckdb` to it.

    Args:
        warehouse: The DuckDB file, which nobody is writing, or an open connection to it (committed state).
        folder: One per clearance.
        publish_id: Letters, digits, dot, dash and underscore.
        meta: Goes into the table `publish`, in schemas main, marts and metrics.
        role: Whose clearance it is, for the table `publish`.
        clearance: Columns of a higher class are null in the file; their values are not in it anywhere.
        classes: `schema.table` -> column -> L1..L4; others have ``unclassified``.
        comments: `schema.table[.column]` -> text; those of the warehouse itself fill the gaps.
        hashes: `schema.table` -> hash of its content, for the data hash; computed when not given.
        keep: How many snapshots stay; the one the link names always does.
        on_progress: Called with (tables done, tables, name) after each table.
        on_step: Called with "written" and "linked"; what it raises ends the work there.

    Returns: the file, read-only and on disk. Killed at any point, the link names a whole file.
    Raises: `PublishError`, `UnpublishableError`, `AccessError`; the link stays as it was.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", publish_id):
        raise PublishError(f"No snapshot was written: {publish_id!r} cannot be part of a file name.")
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".tieout-*.part*"):  # of a writer that was killed
        left.unlink()
    target = folder / f"tieout-{publish_id}.duckdb"
    part = folder / f".tieout-{publish_id}.{os.getpid()}.part"
    step = on_step or (lambda _: None)
    advance = on_progress or (lambda *_: None)
    try:
        with reading(warehouse) as con, connect(part) as file:
            tables = source_tables(con)
            contents: dict[str, str] = {}
            rows = 0
            for schema in SCHEMAS:
                file.execute(f"create schema {quoted(schema)}")
            for done, table in enumerate(tables, start=1):
                masked = _masked(table, clearance, unclassified, (classes or {}).get(table.full_name, {}))
                rows += _copy(con, file, table, masked)
                contents[table.full_name] = (hashes or {}).get(table.full_name) or table_hash(
                    con, table.relation
                )
                advance(done, len(tables), table.full_name)
            if contents.keys() >= METRIC_TABLES:
                file.execute(METRIC_MACRO)
            data_hash = meta.data_hash or data_hash_of(contents)
            facts = publish_facts(publish_id, meta, data_hash, len(tables), rows) | {
                "clearance": ("text", clearance),
                "role": ("text", role),
            }
            said = signed(source_comments(tables) | dict(comments or {}), tables, facts)
            _say(file, facts, said, tables)
            file.execute("checkpoint")
        part.chmod(0o440)
        _to_disk(part)
        part.replace(target)
        _to_disk(folder)
        step("written")
    except BaseException:
        for left in folder.glob(f"{part.name}*"):
            left.unlink()
        raise
    _switch(folder, target)
    step("linked")
    _prune(folder, keep)
    log.info("snapshot %s: %s tables, %s rows, clearance %s", target.name, len(tables), rows, clearance)
    return target


def current_snapshot(folder: Path) -> Path | None:
    """The file the link names, or None when there is none yet."""
    link = folder / LINK
    return link.resolve() if link.exists() else None


def _masked(
    table: SourceTable, clearance: Class, unclassified: Class, classes: Mapping[str, str]
) -> set[str]:
    return {
        column.name
        for column in table.columns
        if rules.rank(rules.sensitivity(classes.get(column.name), unclassified)) > rules.rank(clearance)
    }


def _copy(
    con: duckdb.DuckDBPyConnection, file: duckdb.DuckDBPyConnection, table: SourceTable, masked: set[str]
) -> int:
    """Copy one table without ever reading its masked columns. Returns: its rows, counted on both sides."""
    name = f"{quoted(table.schema)}.{quoted(table.name)}"
    types = {column.name: column.cast_to or column.duckdb_type for column in table.columns}
    shown = ", ".join(
        f"cast(null as {types[column.name]}) as {quoted(column.name)}"
        if column.name in masked
        else column.expression
        for column in table.columns
    )
    file.execute(
        f"create table {name} ({', '.join(f'{quoted(column)} {kind}' for column, kind in types.items())})"
    )
    file.register("incoming", con.execute(f"select {shown} from {table.relation}").to_arrow_reader(122_880))
    file.execute(f"insert into {name} select * from incoming")
    file.unregister("incoming")
    counted = [
        side.execute(f"select count(*) from {relation}").fetchone()
        for side, relation in ((con, table.relation), (file, name))
    ]
    if counted[0] != counted[1] or counted[0] is None:
        raise PublishError(
            f"No snapshot was written: {table.full_name} has {counted[0]} rows, {counted[1]} arrived."
        )
    return counted[0][0]


def _say(
    file: duckdb.DuckDBPyConnection,
    facts: Mapping[str, tuple[str, str | None]],
    comments: Mapping[str, str],
    tables: tuple[SourceTable, ...],
) -> None:
    values = ", ".join(
        f"cast({'null' if value is None else literal(value)} as {kind}) as {quoted(name)}"
        for name, (kind, value) in facts.items()
    )
    for schema in ("main", *SCHEMAS):
        name = f"{quoted(schema)}.{quoted(rules.PUBLISH)}"
        file.execute(f"create table {name} as select {values}")
        for column, text in PUBLISH_COMMENTS.items():
            subject = f"table {name}" if column == rules.PUBLISH else f"column {name}.{quoted(column)}"
            file.execute(f"comment on {subject} is {literal(text)}")
    for table in tables:
        name = f"{quoted(table.schema)}.{quoted(table.name)}"
        if text := comments.get(table.full_name):
            file.execute(f"comment on table {name} is {literal(text)}")
        for column in table.columns:
            if text := comments.get(f"{table.full_name}.{column.name}"):
                file.execute(f"comment on column {name}.{quoted(column.name)} is {literal(text)}")


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _switch(folder: Path, target: Path) -> None:
    """Point the link at ``target``; at every moment it names a whole file."""
    new = folder / f".{LINK}.{os.getpid()}"
    new.unlink(missing_ok=True)
    new.symlink_to(target.name)
    new.replace(folder / LINK)
    _to_disk(folder)


def _prune(folder: Path, keep: int) -> None:
    """Remove all but the newest ``keep`` snapshots. A file somebody reads stays readable to them."""
    linked = current_snapshot(folder)
    files = sorted(folder.glob("tieout-*.duckdb"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
    for file in files[max(keep, 1) :]:
        if file.resolve() != linked:
            with contextlib.suppress(FileNotFoundError):
                file.unlink()
