"""Issue the certificates of all reports of an installation: what is read and written around `certify`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Source, read_sources
from tieout.fingerprint import definition_version
from tieout.ingest.drift import open_holds
from tieout.ingest.landing import Landing, shared
from tieout.ingest.switches import missing
from tieout.settings import Settings
from tieout.tie.lineage import Lineage, Stream, lineage
from tieout.tie.report_certificate import (
    ReportCertificate,
    certify,
    days_of,
    differences,
    record_reports,
    report_certificates,
)
from tieout.tie.report_certificate import again as computed_again
from tieout.tie.report_known import known_now, known_then
from tieout.tie.reports import Report, ReportError, read_reports, require_known
from tieout.transform.dbt import target

if TYPE_CHECKING:
    import duckdb

    from tieout.tie.certificate import Certificate


def folder(settings: Settings) -> Path:
    """Where the definitions of reports lie."""
    return settings.expectations / "reports"


def check_reports(settings: Settings) -> tuple[Report, ...]:
    """All reports, compared with the files of the project alone: nothing has to be built.

    Raises: ReportError if one is invalid or names what does not exist.
    """
    from tieout.metrics.definitions import read_yaml
    from tieout.tie.claims import read_claims

    reports = read_reports(folder(settings))
    models = settings.dbt_project / "models"
    require_known(
        reports,
        metrics=set(read_yaml(models / "metrics").metrics),
        identities={claim.claim for claim in read_claims(settings.expectations / "reconciliation")},
        tables={path.stem for path in (models / "marts").rglob("*.sql")},
        systems=_systems(settings),
    )
    return reports


def reports_of(settings: Settings) -> tuple[tuple[Report, ...], Lineage]:
    """All reports and what their figures are made of, compared with what was built.

    Raises: ReportError if one is invalid, or names a metric, an identity or a table that was not built.
    """
    reports = read_reports(folder(settings))
    if not reports:
        return (), Lineage({}, {})
    made = lineage(target(settings) / "manifest.json")
    require_known(
        reports,
        metrics=set(made.tables),
        identities={name.removeprefix("identity_") for name in made.streams if name.startswith("identity_")},
        tables=set(made.streams),
        systems=_systems(settings),
    )
    return reports, made


def issue_reports(
    settings: Settings, con: duckdb.DuckDBPyConnection, publish: Certificate, sources: Mapping[str, Source]
) -> list[ReportCertificate]:
    """Compute and record the certificate of every report at a publish."""
    reports, made = reports_of(settings)
    if not reports:
        return []
    landing = shared(settings.landing)
    known = known_now(
        con,
        publish.publish_id,
        publish.run_id,
        publish.issued_at,
        publish.definition_version,
        publish.business_cut_off,
        _wanted(reports, made),
        sources=sources,
        off={
            name: f"{item.at[:10]}, {item.by}: {item.reason}" for name, item in missing(settings.home).items()
        },
        held={
            (name, stream): str(batch.held)
            for name, source in sources.items()
            for stream in source.streams
            for batch in open_holds(landing, name, stream)
        },
        unsent=unsent_fields(landing, sources),
    )
    issued = [certify(report, made, known) for report in reports]
    con.execute("begin")
    record_reports(con, issued)
    con.execute("commit")
    return issued


def rerun(
    settings: Settings,
    con: duckdb.DuckDBPyConnection,
    publish_id: str | None,
    report: str | None,
) -> tuple[list[tuple[ReportCertificate, list[str]]], tuple[str, ...]]:
    """Compute old certificates again; returns each with what differs from what was issued, and what is not known any more.

    Raises: ReportError if there is no such publish or report, or a definition is gone.
    """
    reports, made = reports_of(settings)
    issued = report_certificates(con, publish_id, report)
    by_name = {item.report: item for item in reports}
    if gone := sorted({item.report for item in issued} - set(by_name)):
        raise ReportError(f"the definition of {', '.join(gone)} is gone. Nothing was computed.")
    publish_id = issued[0].publish_id
    known, gaps = known_then(
        con,
        publish_id,
        _wanted(reports, made),
        settings.snapshots / f"tieout-{publish_id}.duckdb",
        read_sources(settings.sources),
    )
    if known.definition_version != definition_version(settings.project):
        gaps = (*gaps, "the definitions of then: reports and their lineage are those of now")
    done = [(item, computed_again(item, by_name[item.report], made, known)) for item in issued]
    return [(item, differences(item, new)) for item, new in done], gaps


def unsent_fields(landing: Landing, sources: Mapping[str, Source]) -> dict[Stream, tuple[str, ...]]:
    """Promised fields that no row of a stream ever had: empty, or not granted to us."""
    found = {}
    for name, source in sources.items():
        for stream, promised in source.streams.items():
            batch = landing.latest(name, stream)
            if batch is None:
                continue
            never = {field for field, kind in batch.declared.items() if kind == "null"}
            fields = tuple(column for column in promised.columns if promised.source_column(column) in never)
            if fields:
                found[name, stream] = fields
    return found


def _systems(settings: Settings) -> set[str]:
    return {path.parent.name for path in settings.sources.glob("*/source.yaml")}


def _wanted(reports: tuple[Report, ...], made: Lineage) -> set[tuple[str, str]]:
    return {item for report in reports for item in days_of(report, made).items()}
