"""What certificates of reports are computed from: at a publish, and of an old one as far as it is still known."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.engine import connect, literal, quoted, relations
from tieout.tie.lineage import Stream
from tieout.tie.reports import ReportError

if TYPE_CHECKING:
    import duckdb

    from sources.contract import Source

WHOLE_SOURCE = ""  # the stream of a control total that speaks of no single one


@dataclass(frozen=True)
class Check:
    """What a check on one table said."""

    table: str
    name: str
    title: str
    strong: bool
    status: str
    owner: str


@dataclass(frozen=True)
class Identity:
    """What an identity said; `unexplained` is None where its groups count in different units."""

    name: str
    title: str
    status: str
    unexplained: Decimal | None
    groups_off: int
    owner: str


@dataclass(frozen=True)
class Known:
    """Everything certificates of one publish are computed from."""

    publish_id: str
    run_id: str
    issued_at: datetime
    definition_version: str
    business_cut_off: date | None
    watermarks: Mapping[Stream, datetime]  # every stream is complete up to then
    checks: tuple[Check, ...]
    identities: Mapping[str, Identity]
    controls: tuple[tuple[Stream, str, bool], ...]  # stream, measure, agrees
    quarantine: Mapping[Stream, int]
    amounts: Mapping[Stream, str]  # what the rows in quarantine amount to
    off: Mapping[str, str]  # source -> who switched it off, when and why
    held: Mapping[Stream, str]
    refused: Mapping[Stream, str]  # what the system said at the last run
    unsent: Mapping[Stream, tuple[str, ...]]  # promised fields that no row ever had
    newest: Mapping[
        tuple[str, str], Mapping[str, date]
    ]  # (table, column) -> system -> last day with a document


def known_now(
    con: duckdb.DuckDBPyConnection,
    publish_id: str,
    run_id: str,
    now: datetime,
    definition_version: str,
    business_cut_off: date | None,
    wanted: Collection[tuple[str, str]],
    *,
    sources: Mapping[str, Source],
    off: Mapping[str, str],
    held: Mapping[Stream, str],
    unsent: Mapping[Stream, tuple[str, ...]],
) -> Known:
    """What is known at a publish.

    Args:
        con: The warehouse; the marts are built.
        wanted: (mart, column of its business day) of all reports.
        off: Sources that are switched off although they belong here, and why.
        held: Streams whose newest data waits for a decision.
        unsent: Promised fields that no row of a stream ever had.
    """
    watermarks = {
        (source, stream): moment
        for source, stream, moment in con.execute(
            "select source, stream, complete_to from ops.watermark"
        ).fetchall()
    }
    quarantine = {
        (source, stream): count
        for source, stream, count in con.execute(
            "select source, stream, count(*) from ops.quarantine_open group by all"
        ).fetchall()
    }
    return Known(
        publish_id,
        run_id,
        now,
        definition_version,
        business_cut_off,
        watermarks,
        _checks(con, run_id),
        _identities(con, run_id),
        tuple(
            ((source, stream), measure, agrees)
            for source, stream, measure, agrees in con.execute(
                "select source, stream, measure, agrees from ops.control_now order by all"
            ).fetchall()
        ),
        quarantine,
        _amounts(con, sources) if quarantine else {},
        off,
        held,
        _refusals(con, sources, now),
        unsent,
        newest_documents(con, wanted, business_cut_off),
    )


def newest_documents(
    con: duckdb.DuckDBPyConnection, wanted: Collection[tuple[str, str]], limit: date | None
) -> dict[tuple[str, str], dict[str, date]]:
    """Per mart and column: the last business day of each system, none later than `limit`.

    Documents dated in the future are mistakes somebody has to mend; they move no cut-off.
    """
    there = relations(con)
    found: dict[tuple[str, str], dict[str, date]] = {}
    for table, column in sorted(set(wanted)):
        if f"marts.{table}" not in there:
            continue
        only = f" and {quoted(column)} <= date {literal(str(limit))}" if limit else ""
        rows = con.execute(
            f"select source_system, cast(max({quoted(column)}) as date) from marts.{quoted(table)}"
            f" where {quoted(column)} is not null{only} group by all order by all"
        ).fetchall()
        found[table, column] = {str(system): day for system, day in rows if system}
    return found


def _checks(con: duckdb.DuckDBPyConnection, run_id: str) -> tuple[Check, ...]:
    rows = con.execute(
        "select table_name, check_id, title, severity = 'critical', status, owner from ops.check_result"
        f" where run_id = {literal(run_id)} order by table_name, check_id"
    ).fetchall()
    return tuple(Check(*row) for row in rows)


def _identities(con: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, Identity]:
    rows = con.execute(
        "select identity, title, status, unexplained, groups_off, owner from ops.identity_result"
        f" where run_id = {literal(run_id)}"
    ).fetchall()
    return {row[0]: Identity(*row) for row in rows}


def _amounts(con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source]) -> dict[Stream, str]:
    from tieout.ingest.quarantine.amounts import disclosed

    found = {}
    for line in disclosed(con, sources):
        source, _, stream = line.partition(":")[0].partition(".")
        found[source, stream] = line
    return found


def _refusals(
    con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], now: datetime
) -> dict[Stream, str]:
    """What systems refused in the last run that ended before `now`, by the streams it names."""
    row = con.execute(
        "select state, message from ops.run where state not in ('running', 'interrupted')"
        f" and started_at <= {literal(now.isoformat())}::timestamptz order by started_at desc limit 1"
    ).fetchone()
    if row is None or row[0] != "refused":
        return {}
    found: dict[Stream, str] = {}
    for line in str(row[1]).splitlines():
        for name, source in sources.items():
            for stream in source.streams:
                if f"{name}.{stream}:" in line or f"{name}.{stream} " in line:
                    found[name, stream] = line.strip()[:200]
    return found


def known_then(
    con: duckdb.DuckDBPyConnection,
    publish_id: str,
    wanted: Collection[tuple[str, str]],
    snapshot: Path | None,
    sources: Mapping[str, Source],
) -> tuple[Known, tuple[str, ...]]:
    """What is known today of an old publish, and what is not known any more.

    Args:
        snapshot: The file of that publish, if it is kept.

    Raises: ReportError if the ledger has no certificate of that publish.
    """
    row = con.execute(
        "select run_id, issued_at, definition_version, business_cut_off, watermarks from ops.certificate"
        f" where publish_id = {literal(publish_id)}"
    ).fetchone()
    if row is None:
        ids = [
            item[0]
            for item in con.execute(
                "select publish_id from ops.certificate order by issued_at desc"
            ).fetchall()
        ]
        raise ReportError(f"there is no publish {publish_id!r} here. Known: {', '.join(ids[:10]) or 'none'}.")
    run_id, issued_at, version, cut_off, watermarks = row
    gaps = []
    moment = f"{literal(issued_at.isoformat())}::timestamptz"
    # what was open then: set aside by then, and closed by nothing that was loaded by then
    aside = con.execute(
        f"""
        select q.source, q.stream, count(*) from ops.quarantine as q
        left join ops.batch as b on (b.source, b.stream, b.batch_id) = (q.source, q.stream, q.closed_by)
        where q.quarantined_at <= {moment} and q.decision is null
            and (q.closed_by is null or coalesce(b.loaded_at > {moment}, false))
        group by all
        """
    ).fetchall()
    decided = con.execute(
        f"select count(*) from ops.quarantine where decision is not null and quarantined_at <= {moment}"
    ).fetchone()
    if decided and decided[0]:
        gaps.append(f"when {decided[0]} rows in quarantine were decided upon: they count as decided")
    totals = con.execute(
        f"""
        with counting as (
            select * from ops.batch where scope not like 'window %' and loaded_at <= {moment}
            qualify row_number() over (
                partition by source, stream, case when complete then scope end order by batch_id desc
            ) = 1
        )
        select c.source, c.stream, c.measure, c.agrees from ops.control_total as c
        semi join counting using (source, stream, batch_id)
        union all select source, stream, measure, agrees from ops.control_total where stream = ''
        order by all
        """
    ).fetchall()
    issued = con.execute(
        f"select report, reasons, notes from ops.report_certificate where publish_id = {literal(publish_id)}"
    ).fetchall()
    newest: dict[tuple[str, str], dict[str, date]] = {}
    if snapshot is not None and snapshot.is_file():
        with connect(snapshot, read_only=True) as file:
            newest = newest_documents(file, wanted, cut_off)
    else:
        gaps.append("the last documents of each system: the snapshot of that publish is gone")
    if any(item[0] != WHOLE_SOURCE for item in issued):
        gaps.append("which systems were off, held or refused then: only the certificate as issued says so")
    quarantine = {(source, stream): count for source, stream, count in aside}
    known = Known(
        publish_id,
        run_id,
        issued_at,
        version,
        cut_off,
        {
            (name.partition(".")[0], name.partition(".")[2]): datetime.fromisoformat(text)
            for name, text in json.loads(watermarks).items()
        },
        _checks(con, run_id),
        _identities(con, run_id),
        tuple(((source, stream), measure, agrees) for source, stream, measure, agrees in totals),
        quarantine,
        {item: text for item, text in _amounts(con, sources).items() if item in quarantine},
        {},
        {},
        {},
        {},
        newest,
    )
    return known, tuple(gaps)
