"""`tieout tie`"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import duckdb

    from tieout.tie.results import IdentityResult

MARK = {"holds": "✓", "explained": "≈", "broken": "✗"}
_CAUSES = 8  # so that the whole company stays on one screen
_CENT = Decimal("0.01")
# In the order in which a company reads them.
PROCESSES = {
    "sales": "销售 sales", "e-commerce": "电商 e-commerce", "purchasing": "采购 purchasing", "stock": "库存 stock",
    "production": "生产 production", "finance": "财务 finance", "hr": "人事 hr", "data": "数据 data",
}  # fmt: skip


def tie(
    asked: Annotated[
        str | None,
        typer.Argument(
            metavar="[PROCESS | IDENTITY]", help="A process: its identities. An identity: its bridge."
        ),
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="One group of an identity, for example a month or a customer.")
    ] = None,
    rows: Annotated[int, typer.Option(help="How many groups and source rows to print.")] = 12,
    everything: Annotated[bool, typer.Option("--all", help="Every identity, one line each.")] = False,
    report: Annotated[
        str | None,
        typer.Option(help="Only the identities one report stands on, and whether it is certified."),
    ] = None,
) -> None:
    """Do the departments agree? Every identity with left, right, difference and cause; exit code 1 if a strong one breaks.

    \b
    tieout tie                                         the whole company on one screen
    tieout tie --all                                   every identity, one line each
    tieout tie sales                                   those of one process, with their causes
    tieout tie booked_to_shipped                       the bridge from one figure to the other
    tieout tie booked_to_shipped --group 2025-11       the same for one month, with source rows
    tieout tie --report finance_revenue                what one report stands on (see `tieout certificate`)

    ✓ holds: equal in every group · ≈ explained: every cent of the difference has a cause ·
    ✗ broken: something is left unexplained. `tieout cases` says since when, and what belongs together.
    """
    from tieout.cli.errors import CommandError
    from tieout.cli.open import working_copy
    from tieout.settings import settings
    from tieout.tie.results import TieError, identity_results

    only = None
    if report is not None:
        from tieout.tie.report_certificate import identities_of

        only = identities_of(report, settings().expectations / "reports")
    with working_copy(settings()) as con:
        try:
            results = [
                result
                for result in identity_results(con)
                if result.is_here and (only is None or result.identity in only)
            ]
            of_process = [result for result in results if result.process == asked]
            if only is not None:
                identity_table(con, only=only)
            elif asked is None and not everything:
                company_table(con, results)
            elif asked is None or of_process:
                identity_table(con, process=asked, brief=asked is None)
            else:
                _one(con, asked, group, rows)
        except TieError as error:
            raise CommandError(str(error)) from None
        if report is not None:
            _certified(con, report)
    strong = [
        result for result in results if result.blocks and asked in (None, result.process, result.identity)
    ]
    if strong:
        print(
            f"\n{len(strong)} strong identities are broken: {', '.join(r.identity for r in strong)}",
            file=sys.stderr,
        )
        sys.exit(1)


def _certified(con: duckdb.DuckDBPyConnection, report: str) -> None:
    """What the last publish said of a report; before the first one, nothing was said."""
    from tieout.tie.report_certificate import report_certificates
    from tieout.tie.reports import ReportError

    try:
        (found,) = report_certificates(con, None, report)
    except ReportError as error:
        print(f"\n{error}")
        return
    state = "✓ certified" if found.certified else "✗ not certified"
    print(f"\n{state} at publish {found.publish_id}, cut-off {found.business_cut_off} · {found.title}")
    for reason in found.reasons:
        print(f"  - {reason.zh} / {reason.en}")


def company_table(con: duckdb.DuckDBPyConnection, results: list[IdentityResult]) -> None:
    """One line per process and company, what is broken by name, and how much of it all ties out."""
    from tieout.cli.show import heading, table, text
    from tieout.tie.results import rates, unexplained_amounts

    off = unexplained_amounts(con)
    lines: dict[tuple[str, str], list[IdentityResult]] = {}
    for result in results:
        lines.setdefault((result.process, result.companies or "all"), []).append(result)
    table(
        ["", "process", "company", "identities", "✓", "≈", "✗", "groups", "compared (CNY)", "unexplained (CNY)", "owners"],
        [
            (
                MARK[min((r.status for r in of), key=list(reversed(MARK)).index)],
                PROCESSES[process],
                companies,
                len(of),
                *(sum(r.status == status for r in of) for status in MARK),
                sum(r.group_count for r in of),
                *_in_cny(of, off),
                "、".join(sorted({r.owner for r in of})),
            )
            for (process, companies), of in sorted(
                lines.items(), key=lambda line: (list(PROCESSES).index(line[0][0]), line[0][1])
            )
        ],
    )  # fmt: skip
    broken = [result for result in results if result.status == "broken"]
    if broken:
        heading(f"Broken: {len(broken)}, strong ones first")
        table(
            ["", "identity", "", "company", "groups", "unexplained", "unit", "owner/with"],
            [
                (
                    "!" if result.blocks else "~",
                    result.title_zh,
                    result.identity,
                    result.companies or "all",
                    f"{result.groups_broken:,} of {result.group_count:,}",
                    off.get(result.identity, Decimal(0)),
                    result.unit,
                    f"{result.owner}/{result.with_department}",
                )
                for result in broken[:12]
            ],
        )
        if len(broken) > 12:
            print(f"… and {len(broken) - 12} more: `tieout tie --all`")
    _causes(con)
    made = rates(con)
    print(
        f"\ntie-out rate  {_percent(made.identities_tied, made.identities)} of identities"
        f" ({made.identities_tied} of {made.identities})"
        f" · {_percent(made.groups_tied, made.groups)} of groups ({made.groups_tied:,} of {made.groups:,})"
        f" · {_percent(made.value - made.value_off, made.value)} of value"
        f" ({text(made.value_off)} of {text(made.value.quantize(_CENT))} CNY unexplained)"
    )


def _causes(con: duckdb.DuckDBPyConnection, identity: str | None = None) -> None:
    """What keeps the departments apart, by root cause: the largest, each with the document it is about.

    Args:
        identity: Only those that show in it.
    """
    from tieout.cli.cases import cause
    from tieout.cli.show import heading, table
    from tieout.tie.cases import cases
    from tieout.tie.results import TieError

    try:
        found = [item for item in cases(con) if identity in (None, *item.identities)]
    except TieError:  # models were built, but nothing was judged yet
        return
    if not found:
        return
    heading(f"Causes: {len(found)} open cases, the largest first (`tieout cases`)")
    table(
        ["case", "cause", "document", "amount", "unit", "owner", "since", "identities"],
        [
            (item.case_id, cause(item), item.document or "", item.amount, item.unit, item.owner,
             f"{item.opened_at:%Y-%m-%d}", len(item.shows_in))
            for item in found[:_CAUSES]
        ],
    )  # fmt: skip
    if len(found) > _CAUSES:
        print(f"… and {len(found) - _CAUSES} more: `tieout cases`")


def _in_cny(of: list[IdentityResult], off: dict[str, Decimal]) -> tuple[Decimal | None, Decimal | None]:
    """What was compared in CNY and what of it is unexplained, to the cent; nothing where pieces are counted."""
    money = [
        (abs(r.left_total), off.get(r.identity, Decimal(0)))
        for r in of
        if r.left_total is not None and r.unit == "CNY"
    ]
    if not money:
        return None, None
    return sum((value for value, _ in money), Decimal(0)).quantize(_CENT), sum(
        (it for _, it in money), Decimal(0)
    )


def _percent(part: Decimal | int, whole: Decimal | int) -> str:
    """Two decimals, cut and not rounded: what is not whole never reads 100.00 %."""
    if not whole:
        return "–"
    share = (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.01"), ROUND_FLOOR)
    return f"{share} %"


def identity_table(
    con: duckdb.DuckDBPyConnection,
    *,
    process: str | None = None,
    brief: bool = False,
    only: Collection[str] | None = None,
) -> None:
    """All identities, those of one process or `only` some, worst first; `brief` is one line each, without the causes."""
    from tieout.cli.show import table, text
    from tieout.tie.results import breaks, identity_results

    causes: dict[str, list[str]] = {}
    for item in [] if brief else breaks(con):
        title = "unexplained" if item.cause == "unexplained" else item.cause_title_zh
        if title not in causes.setdefault(item.identity, []):
            causes[item.identity].append(title)
    rows = []
    for result in identity_results(con):
        if process not in (None, result.process) or not result.is_here:
            continue
        if only is not None and result.identity not in only:
            continue
        if result.left_total is None:  # groups in unlike units are compared one by one, never added up
            left, right = f"{result.group_count:,} groups", f"{result.groups_off:,} differ"
        else:
            left, right = text(result.left_total), text(result.right_total)
        row = [
            MARK[result.status],
            result.title_zh if brief else f"{result.title_zh} / {result.title_en}\n{result.identity}",
            result.companies or "all",
            left,
            right,
            result.difference,
            result.unexplained,
            result.unit if result.left_total is not None else "",
            f"{result.owner}/{result.with_department}",
        ]
        rows.append(row if brief else [*row, "、".join(causes.get(result.identity, []))])
    columns = ["", "identity", "company", "left", "right", "difference", "unexplained", "unit", "owner/with"]
    table(columns if brief else [*columns, "causes"], rows, right=(3, 4))


def _one(con: duckdb.DuckDBPyConnection, identity: str, group: str | None, rows: int) -> None:
    from tieout.cli.show import heading, table
    from tieout.tie.results import breaks, bridge, identity_results

    if group and re.fullmatch(r"\d{4}-\d{2}", group):
        group += "-01"  # months are named by their first day
    steps = bridge(con, identity, group)
    result = next(result for result in identity_results(con) if result.identity == identity)
    about = [f"{result.title_zh} / {result.title_en}", *filter(None, (result.companies, group))]
    heading(f"{MARK[result.status]} {' · '.join(about)}")
    table(
        ["", "", f"amount ({result.unit})"], [(step.title_zh, step.title_en, step.amount) for step in steps]
    )
    found = breaks(con, identity, group)
    if not found:
        print("\nboth sides are equal in every group")
        return
    heading(f"Differences by group and cause ({min(rows, len(found))} of {len(found)}, largest first)")
    table(
        ["group", "left", "right", "cause", "amount", "documents", "source rows (system/table/record)"],
        [
            (
                item.group_name or item.group_key,
                item.left_value,
                item.right_value,
                f"{item.cause_title_zh} {item.suspect or ''}".strip(),
                item.cause_amount,
                ", ".join(item.documents[:3]),
                ", ".join(item.evidence[: rows if group else 3]),
            )
            for item in found[:rows]
        ],
    )
    _causes(con, identity)
    print(f"\nowner: {result.owner}, with {result.with_department}")
