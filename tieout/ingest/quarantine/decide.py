"""Decisions about rows in quarantine: written down in the landing, then the streams they speak of are rebuilt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sources.contract import Source
from tieout.ingest.controls import compare_controls
from tieout.ingest.decisions import decide
from tieout.ingest.landing import Landing
from tieout.ingest.ledger import advance_watermarks
from tieout.ingest.load import rebuild_stream
from tieout.ingest.quarantine.planned import UNDECIDED, Planned, QuarantineError, about
from tieout.ingest.quarantine.rows import Row, history

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Outcome:
    """What decisions did to one stream: `decisions` files written, and rows of it that wait now."""

    source: str
    stream: str
    decisions: int
    waiting: int
    released: int
    dropped: int


def release(
    con: duckdb.DuckDBPyConnection,
    sources: Mapping[str, Source],
    landing: Landing,
    planned: Sequence[Planned],
    values: Mapping[str, str | None],
    *,
    by: str,
    reason: str,
    now: datetime,
) -> list[Outcome]:
    """Let in what `planned_release` has found possible, with the same `values`."""
    rows = [item.row for item in planned]
    return _decided(con, sources, landing, "release-row", rows, values, by=by, reason=reason, now=now)


def drop(
    con: duckdb.DuckDBPyConnection,
    sources: Mapping[str, Source],
    landing: Landing,
    rows: Sequence[Row],
    *,
    by: str,
    reason: str,
    now: datetime,
) -> list[Outcome]:
    """Leave rows out for good: they no longer wait, and a version that is held of their key stays."""
    return _decided(con, sources, landing, "drop-row", rows, None, by=by, reason=reason, now=now)


def undo(
    con: duckdb.DuckDBPyConnection,
    sources: Mapping[str, Source],
    landing: Landing,
    rows: Sequence[Row],
    *,
    by: str,
    reason: str,
    now: datetime,
) -> list[Outcome]:
    """Take back the last decision on rows: they wait again.

    Raises: QuarantineError if nothing was decided on one of them.
    """
    for row in rows:
        taken = [item for item in history(landing, row) if item.about.get("rule") == row.rule]
        if not taken or taken[-1].kind == "undecide-row":
            raise QuarantineError(
                f"{row.id} ({row.source}.{row.stream}, {row.place}): nothing was decided on this row. {UNDECIDED}"
            )
    return _decided(con, sources, landing, "undecide-row", rows, None, by=by, reason=reason, now=now)


def _decided(
    con: duckdb.DuckDBPyConnection,
    sources: Mapping[str, Source],
    landing: Landing,
    kind: str,
    rows: Sequence[Row],
    values: Mapping[str, str | None] | None,
    *,
    by: str,
    reason: str,
    now: datetime,
) -> list[Outcome]:
    """Write decisions down, one for each content and rule of a stream, and rebuild those streams.

    A crash in between loses nothing: the decision stands, and is honoured when the stream is next rebuilt.
    """
    different = {(row.source, row.stream, row.record_hash, row.rule): row for row in rows}
    streams: dict[tuple[str, str], int] = {}
    for row in different.values():
        decide(landing.root, kind, row.source, row.stream, about(row, values), by=by, reason=reason, now=now)
        streams[row.source, row.stream] = streams.get((row.source, row.stream), 0) + 1
    outcomes = []
    for (source, stream), count in streams.items():
        complete_to = con.execute(
            "select complete_to from ops.watermark where source = ? and stream = ?", [source, stream]
        ).fetchone()
        rebuild_stream(con, sources[source], landing, stream, now)
        if complete_to:  # a pull that found nothing new had advanced it
            advance_watermarks(con, [(source, stream)], complete_to[0])
        counted = con.execute(
            "select count(*) filter (decision is null and closed_by is null), count(*) filter (decision = 'released'),"
            " count(*) filter (decision = 'dropped') from ops.quarantine where source = ? and stream = ?",
            [source, stream],
        ).fetchone()
        assert counted is not None
        outcomes.append(Outcome(source, stream, count, *counted))
    compare_controls(con, dict(sources), landing)
    return outcomes
