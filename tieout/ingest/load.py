"""Load landed batches into raw tables: one writer, one transaction a batch, safe to repeat.

Per batch: every value is cast to the contract's type; rows that break a rule go to `ops.quarantine` with
the rule, the reason and their position; versions whose content is new replace the ones before, which stay in
the history; keys the batch should hold but does not are marked deleted. Always: rows in = loaded + unchanged +
quarantined.

A batch that is older than one already loaded makes its stream be rebuilt from landing in order, so the
tables depend on which batches there are and never on the order in which they were loaded, nor on when.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sources.contract import Source, Stream
from tieout.engine import constants, literal, quoted
from tieout.ingest.batch import Batch
from tieout.ingest.decisions import Decision, decisions
from tieout.ingest.drift import Holds
from tieout.ingest.fold import unfold
from tieout.ingest.landing import WHOLE_TABLE, Landing, Manifest
from tieout.ingest.ledger import record
from tieout.ingest.outcome import Loaded
from tieout.ingest.tables import TECHNICAL, empty, history_table

if TYPE_CHECKING:
    import duckdb

__all__ = ["Loaded", "load_batch", "load_pending", "loadable", "pending", "rebuild_stream"]


def pending(con: duckdb.DuckDBPyConnection, sources: dict[str, Source], landing: Landing) -> list[Manifest]:
    """Batches that have landed, may be loaded, and are not in the ledger; oldest first per stream."""
    known = set(con.execute("select source, stream, batch_id from ops.batch").fetchall())
    return [
        manifest
        for source in sources.values()
        for stream in source.streams
        for manifest in loadable(landing, source.name, stream)
        if (source.name, stream, manifest.known_as) not in known
    ]


def loadable(landing: Landing, source: str, stream: str) -> list[Manifest]:
    """Batches of a stream in order, without those held back by its drift policy and not yet accepted."""
    batches = landing.batches(source, stream)
    if all(item.held is None for item in batches):
        return batches
    holds = Holds(landing)
    return [item for item in batches if holds.may_load(item)]


def load_pending(
    con: duckdb.DuckDBPyConnection,
    sources: dict[str, Source],
    landing: Landing,
    now: datetime,
    report: Callable[[Loaded], None],
) -> list[Loaded]:
    """Load everything that has landed and is not yet loaded; `report` is called after each batch."""
    outcomes = []
    for manifest in pending(con, sources, landing):
        outcome = load_batch(con, sources[manifest.source], landing, manifest, now)
        outcomes.append(outcome)
        report(outcome)
    return outcomes


def load_batch(
    con: duckdb.DuckDBPyConnection, source: Source, landing: Landing, manifest: Manifest, now: datetime
) -> Loaded:
    """Load one batch in one transaction; loading it again changes nothing.

    Args:
        now: Instant of loading, for the ledger; rows carry the instant their batch was read.
    """
    known = con.execute(
        f"select batch_id from ops.batch where (source, stream) = ({constants(source.name, manifest.stream)})"
    ).fetchall()
    loaded = {row[0] for row in known}
    con.execute("begin")
    try:
        if any(item >= manifest.known_as for item in loaded) or (manifest.folds and loaded):
            outcomes = _rebuild(con, source, landing, manifest.stream, loaded | {manifest.known_as}, now)
            outcome = next(item for item in outcomes if item.batch_id == manifest.batch_id)
        else:
            outcome = _apply(con, source, landing, manifest, now)
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return outcome


def rebuild_stream(
    con: duckdb.DuckDBPyConnection, source: Source, landing: Landing, stream: str, now: datetime
) -> list[Loaded]:
    """Empty a stream and load its batches again in order, in one transaction."""
    wanted = {item.known_as for item in loadable(landing, source.name, stream)}
    con.execute("begin")
    try:
        outcomes = _rebuild(con, source, landing, stream, wanted, now)
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return outcomes


def _rebuild(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    landing: Landing,
    stream: str,
    wanted: set[str],
    now: datetime,
) -> list[Loaded]:
    empty(con, source, stream)
    batches = [item for item in loadable(landing, source.name, stream) if item.known_as in wanted]
    return [_apply(con, source, landing, manifest, now) for manifest in batches]


def _apply(
    con: duckdb.DuckDBPyConnection, source: Source, landing: Landing, manifest: Manifest, now: datetime
) -> Loaded:
    if manifest.folds:
        return unfold(con, source, landing, manifest, now)
    name, stream = manifest.stream, source.streams[manifest.stream]
    taken: Sequence[Decision] = decisions(
        landing.root, kinds={"release-row", "drop-row", "undecide-row"}, source=source.name, stream=name
    )
    with Batch(con, source, name, landing, manifest, taken) as batch:
        faults = batch.set_aside()
        loaded, deleted = _replace(con, source, name, stream, batch, manifest)
        unchanged = batch.rows - faults - loaded
        outcome = Loaded(source.name, name, manifest.batch_id, batch.rows, loaded, unchanged, faults, deleted)
        record(con, source, batch, manifest, outcome, now)
    return outcome


def _replace(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    name: str,
    stream: Stream,
    batch: Batch,
    manifest: Manifest,
) -> tuple[int, int]:
    """Bring what holds up to the batch; returns how many keys got a new version, and how many were deleted."""
    history = history_table(source, name)
    columns = ", ".join(quoted(column) for column in stream.columns)
    stamp = f"{literal(manifest.batch_id)}, {literal(manifest.extracted_at)}::timestamptz"
    target = f"{history} ({columns}, {TECHNICAL}, _is_current)"
    if not _one(con, f"select exists (from {history})"):
        con.execute(
            f"insert into {target}"
            f" select {columns}, {stamp}, _hash, _origin, _row, _is_deleted, true from {batch.good}"
        )
        return int(str(_one(con, f"select count(*) from {history}"))), 0
    same_key = _same_key(stream, "current", "batch")
    # A row that is now in another file belongs to that one, or the file it left would take it along.
    one_file = manifest.complete and manifest.scope != WHOLE_TABLE
    moved = " or current._origin <> batch._origin" if one_file else ""
    con.execute(
        f"""
        create or replace temp table batch_changes as
        select {", ".join(f"batch.{quoted(c)}" for c in stream.columns)},
            batch._hash, batch._origin, batch._row, batch._is_deleted, current.rowid as replaced
        from {batch.good} as batch left join {history} as current on {same_key} and current._is_current
        where current._hash is null or current._hash <> batch._hash or current._is_deleted <> batch._is_deleted
            {moved}
        """
    )
    loaded = int(str(_one(con, "select count(*) from batch_changes")))
    gone = batch.gone()
    if gone is not None:
        con.execute(
            f"""
            insert into batch_changes
            select {", ".join(f"current.{quoted(c)}" for c in stream.columns)},
                current._hash, current._origin, current._row, true, current.rowid
            from {history} as current where current._is_current and not current._is_deleted and {gone}
            """
        )
    changed = int(str(_one(con, "select count(*) from batch_changes")))
    if changed:
        # Found by position: the join above has read the keys once already.
        con.execute(
            f"update {history} set _is_current = false"
            f" where rowid in (select replaced from batch_changes where replaced is not null)"
        )
        con.execute(
            f"insert into {target} select {columns}, {stamp}, _hash, _origin, _row, _is_deleted, true from batch_changes"
        )
    con.execute("drop table batch_changes")
    return loaded, changed - loaded


def _same_key(stream: Stream, left: str, right: str) -> str:
    return " and ".join(f"{left}.{quoted(c)} = {right}.{quoted(c)}" for c in stream.key)


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> object:
    row = con.execute(sql).fetchone()
    return row[0] if row else None
