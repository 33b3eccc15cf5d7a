"""The certificate of a publish: what it holds for, and with which reservations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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


def issue(
    con: duckdb.DuckDBPyConnection,
    publish_id: str,
    run_id: str,
    said: Verdict,
    definition_version: str,
    now: datetime,
    sources: Mapping[str, Source] | None = None,
    held: Sequence[str] = (),
) -> Certificate:
    """Write and return the certificate of a publish; one with the same id is replaced.

    Certified means: every strong rule holds, every control total agrees, nothing is in quarantine.

    Args:
        sources: Contracts, so that the reasons can say what the rows in quarantine amount to.
        held: Streams whose newest data waits for a decision on their changed shape.
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
    without = f" ({brief(disclosed(con, sources or {}))})" if aside else ""
    reasons = [f"{len(aside)} rows are in quarantine: totals are without them{without}"] if aside else []
    reasons += [
        f"control total {measure} of {origin} does not agree: {remedy(source, stream, measure)}"
        for source, stream, origin, measure in disagreeing
    ]
    reservations = [*reasons, *held, *map(str, said.blocking)]
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
    )
    con.execute(
        "insert or replace into ops.certificate values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
        ],
    )
    return certificate
