"""`tieout certificate`"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tieout.tie.report_certificate import ReportCertificate

NOT_CERTIFIED = 4


def certificate(
    report: Annotated[
        str | None, typer.Argument(help="One report, in full; left out: all reports with their state.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="The certificates as they were issued at that publish.")
    ] = None,
    rerun: Annotated[
        bool,
        typer.Option(
            "--rerun", help="Compute them again from what is known, and compare with what was issued."
        ),
    ] = False,
) -> None:
    """May a report be relied upon? Its cut-off, what it was made of, and what speaks against it.

    \b
    tieout certificate                                   every report: certified or not, and why
    tieout certificate finance_revenue                   one, with watermarks, checks, identities, totals
    tieout certificate --as-of P20261122T221346-7556287f          as they were issued then
    tieout certificate --as-of P20261122T221346-7556287f --rerun  computed again: does it still come out the same?

    Exit codes: 0 certified (or the same again) · 1 the rerun differs · 4 not certified.
    """
    from tieout.cli.open import working_copy
    from tieout.cli.show import table
    from tieout.settings import settings
    from tieout.tie.report_certificate import report_certificates

    with working_copy(settings()) as con:
        if rerun:
            from tieout.tie.report_issue import rerun as computed

            done, gaps = computed(settings(), con, as_of, report)
            sys.exit(_compared(done, gaps))
        found = report_certificates(con, as_of, report)
    if report:
        _whole(found[0])
    else:
        print(f"publish {found[0].publish_id}\n")
        table(
            ["", "report", "", "owner", "cut-off", "why not"],
            [
                (
                    "✓" if item.certified else "✗",
                    item.report,
                    item.title.partition(" / ")[0],
                    item.owner,
                    item.business_cut_off,
                    "\n".join(f"{said.zh}\n{said.en}" for said in item.reasons),
                )
                for item in found
            ],
        )
        good = sum(item.certified for item in found)
        print(f"\n{good} of {len(found)} reports are certified")
    sys.exit(0 if all(item.certified for item in found) else NOT_CERTIFIED)


def _whole(item: ReportCertificate) -> None:
    from tieout.cli.show import heading, table, text

    heading(f"{'✓ certified' if item.certified else '✗ not certified'} · {item.title} ({item.report})")
    figures = item.figures
    checks, totals = figures["checks"], figures["control_totals"]
    assert isinstance(checks, dict) and isinstance(totals, dict)
    for name, value in (
        ("publish", item.publish_id),
        ("owner", item.owner),
        ("business cut-off", item.business_cut_off),
        ("every system read to", item.loaded_to),
        ("all systems aligned to", figures["aligned_to"]),
        ("definitions", item.definition_version),
        ("checks", ", ".join(f"{count} {state}" for state, count in checks.items())),
        ("control totals", f"{totals['agree']} of {totals['of']} agree"),
        ("rows in quarantine", figures["quarantined_rows"]),
    ):
        print(f"  {name:<23} {text(value)}")
    for title, said in (("Not certified because", item.reasons), ("Worth knowing", item.notes)):
        if said:
            heading(title)
            for line in said:
                print(f"  - {line.zh}\n    {line.en}")
    identities, newest, watermarks = figures["identities"], figures["newest_document"], figures["watermarks"]
    assert isinstance(identities, dict) and isinstance(newest, dict) and isinstance(watermarks, dict)
    if identities:
        heading("Identities it stands on")
        rows = [(name, i["status"], i["unexplained"], i["groups_off"]) for name, i in identities.items()]
        table(["identity", "state", "unexplained", "groups off"], rows, right=(2,))
    heading("Systems")
    streams: dict[str, list[str]] = {}
    for name, moment in watermarks.items():
        streams.setdefault(name.partition(".")[0], []).append(moment)
    table(
        ["system", "streams", "all read to (UTC)", "last document"],
        [
            (system, len(moments), min(moments)[:16].replace("T", " "), newest.get(system, ""))
            for system, moments in sorted(streams.items())
        ],
    )


def _compared(done: list[tuple[ReportCertificate, list[str]]], gaps: tuple[str, ...]) -> int:
    from tieout.cli.show import table

    table(
        ["", "report", "issued", "computed again"],
        [
            (
                "✗" if lines else "✓",
                item.report,
                "certified" if item.certified else "not certified",
                "\n".join(lines) or "the same",
            )
            for item, lines in done
        ],
    )
    for gap in gaps:
        print(f"  not known any more: {gap}")
    off = sum(bool(lines) for _, lines in done)
    print(
        f"\n{len(done) - off} of {len(done)} certificates come out as they were issued at {done[0][0].publish_id}"
    )
    return 1 if off else 0
