"""`tieout tie`"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import duckdb

MARK = {"holds": "✓", "explained": "≈", "broken": "✗"}


def tie(
    identity: Annotated[str | None, typer.Argument(help="One identity: its bridge and its groups.")] = None,
    group: Annotated[
        str | None, typer.Option(help="One group of it, for example a month or a customer.")
    ] = None,
    rows: Annotated[int, typer.Option(help="How many groups and source rows to print.")] = 12,
) -> None:
    """Do the departments agree? Every identity with left, right, difference and cause; exit code 1 if a strong one breaks.

    \b
    tieout tie                                         the whole company on one screen
    tieout tie booked_to_shipped                       the bridge from one figure to the other
    tieout tie booked_to_shipped --group 2025-11       the same for one month, with source rows

    ✓ holds: equal in every group · ≈ explained: every cent of the difference has a cause ·
    ✗ broken: something is left unexplained.
    """
    from tieout.cli.errors import CommandError
    from tieout.cli.open import working_copy
    from tieout.settings import settings
    from tieout.tie.results import TieError, identity_results

    with working_copy(settings()) as con:
        try:
            results = identity_results(con)
            if identity is None:
                identity_table(con)
            else:
                _one(con, identity, group, rows)
        except TieError as error:
            raise CommandError(str(error)) from None
    strong = [result for result in results if result.blocks and identity in (None, result.identity)]
    if strong:
        print(
            f"\n{len(strong)} strong identities are broken: {', '.join(r.identity for r in strong)}",
            file=sys.stderr,
        )
        sys.exit(1)


def identity_table(con: duckdb.DuckDBPyConnection, *, brief: bool = False) -> None:
    """All identities, worst first; `brief` is one line each, without the causes."""
    from tieout.cli.show import table, text
    from tieout.tie.results import breaks, identity_results

    causes: dict[str, list[str]] = {}
    for item in [] if brief else breaks(con):
        title = "unexplained" if item.cause == "unexplained" else item.cause_title_zh
        if title not in causes.setdefault(item.identity, []):
            causes[item.identity].append(title)
    rows = []
    for result in identity_results(con):
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
    print(f"\nowner: {result.owner}, with {result.with_department}")
