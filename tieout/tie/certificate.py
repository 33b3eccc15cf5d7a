"""The certificate of a publish: what it holds for, and with which reservations."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from tieout.ingest.controls import remedy
from tieout.ingest.quarantine.amounts import brief, disclosed
from tieout.ingest.status import open_quarantine

if TYPE_CHECKING:
    import duckdb

    from sources.contract import Source
    from tieout.tie.verdict import Verdict


@dataclass(frozen=True)
class Certificate:
    """States the cut-off of one publish and whether anything speaks against it."""

    publish_id: str
    run_id: str
    certified: bool
    reasons: tuple[str, ...]  # why not, or what to know; empty if nothing
    business_cut_off: date | None  # last day any document of operations carries
    loaded_to: datetime | None  # every stream is complete up to this instant
    watermarks: dict[str, str]  # source.stream -> complete to (UTC)
    strong_checks: int
    strong_failed: int
    weak_failed: int
    identities: int
    identities_broken: int
    rows_quarantined: int
    definition_version: str
    issued_at: datetime
    control_totals: int = 0
    control_totals_off: int = 0
    quarantined: tuple[str, ...] = ()  # what totals are without, one line a stream; personal sums withheld
    absent: tuple[str, ...] = ()  # what was never read, or is off or held: absence is not zero
    policy_version: str | None = None


def issue(
    con: duckdb.DuckDBPyConnection,
    publish_id: str,
    run_id: str,
    said: Verdict,
    definition_version: str,
    now: datetime,
    sources: Mapping[str, Source] | None = None,
    held: Sequence[str] = (),
    policy_version: str | None = None,
) -> Certificate:
    """Write and return the certificate of a publish; one with the same id is replaced.

    Certified means: every strong rule holds, every control total agrees, nothing is in quarantine.

    Args:
        sources: Contracts, so that the reasons can say what the rows in quarantine amount to.
        held: What the publish is without, one line each: sources that are off, streams whose newest data waits for
            a decision on their changed shape.
        policy_version: Of the access rules in force.
    """
    aside = open_quarantine(con)
    disagreeing = con.execute(
        "select source, stream, origin, measure from ops.control_now where not agrees order by all"
    ).fetchall()
    watermarks = {
        f"{source}.{stream}": moment.isoformat()
        for source, stream, moment in con.execute(
            "select source, stream, complete_to from ops.watermark order by all"
        ).fetchall()
    }
    checks, identities = said.of("check"), said.of("identity")
    quarantined = disclosed(con, sources or {}) if aside else []
    without = f" ({brief(quarantined)})" if aside else ""
    reasons = [f"{len(aside)} rows are in quarantine: totals are without them{without}"] if aside else []
    reasons += [
        f"control total {measure} of {origin} does not agree: {remedy(source, stream, measure)}"
        for source, stream, origin, measure in disagreeing
    ]
    absent = [*held, *never_read(sources or {}, watermarks)]
    reservations = [*reasons, *held, *map(str, said.blocking)]
    controls = con.execute("select count(*) from ops.control_now").fetchone()
    cut_off = con.execute("select max(balance_date) from marts.fct_stock_balance_day").fetchone()
    loaded_to = con.execute("select min(complete_to) from ops.watermark").fetchone()
    certificate = Certificate(
        publish_id=publish_id,
        run_id=run_id,
        certified=not reservations,
        reasons=tuple(reservations),
        business_cut_off=cut_off[0] if cut_off else None,
        loaded_to=loaded_to[0] if loaded_to else None,
        watermarks=watermarks,
        strong_checks=sum(rule.strong for rule in checks),
        strong_failed=sum(rule.strong and not rule.holds for rule in checks),
        weak_failed=sum(not rule.strong and not rule.holds for rule in checks),
        identities=len(identities),
        identities_broken=sum(not rule.holds for rule in identities),
        rows_quarantined=len(aside),
        definition_version=definition_version,
        issued_at=now,
        control_totals=controls[0] if controls else 0,
        control_totals_off=len(disagreeing),
        quarantined=tuple(quarantined),
        absent=tuple(absent),
        policy_version=policy_version,
    )
    con.execute(
        """
        insert or replace into ops.certificate (publish_id, run_id, certified, reasons, business_cut_off, loaded_to,
            watermarks, strong_checks, strong_failed, weak_failed, identities, identities_broken, rows_quarantined,
            definition_version, issued_at, control_totals, control_totals_off, quarantined, absent, policy_version)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [
            certificate.publish_id,
            certificate.run_id,
            certificate.certified,
            json.dumps(certificate.reasons, ensure_ascii=False),
            certificate.business_cut_off,
            certificate.loaded_to,
            json.dumps(certificate.watermarks),
            certificate.strong_checks,
            certificate.strong_failed,
            certificate.weak_failed,
            certificate.identities,
            certificate.identities_broken,
            certificate.rows_quarantined,
            certificate.definition_version,
            certificate.issued_at,
            certificate.control_totals,
            certificate.control_totals_off,
            json.dumps(certificate.quarantined, ensure_ascii=False),
            json.dumps(certificate.absent, ensure_ascii=False),
            certificate.policy_version,
        ],
    )
    return certificate


def never_read(sources: Mapping[str, Source], watermarks: Collection[str]) -> list[str]:
    """Streams that contracts promise and nobody ever read to the end, one line a source.

    A source without any stream that was read is no part of the publish; `held` says so where it should be.
    """
    lines = []
    for name, source in sources.items():
        unread = [stream for stream in source.streams if f"{name}.{stream}" not in watermarks]
        if unread and len(unread) < len(source.streams):
            lines.append(f"{name}: {', '.join(unread)} was never read")
    return lines
