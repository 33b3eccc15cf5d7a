"""`tieout trace`"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tieout.metrics.trace import Contribution, Trace


def trace(
    name: Annotated[str, typer.Argument(help="Metric.")],
    period: Annotated[str | None, typer.Option(help="One period: 2025, 2025-11 or 2025-11-30.")] = None,
    where: Annotated[list[str] | None, typer.Option(help="dimension=value; may be repeated.")] = None,
    rows: Annotated[int, typer.Option(help="Source rows to print; 0 prints all.")] = 30,
    csv: Annotated[bool, typer.Option(help="Print the source rows as CSV.")] = False,
) -> None:
    """Which source rows make this number? From one cell of a metric to system, table or file, and row.

    \b
    tieout trace revenue_amount_net --period 2025-11
    tieout trace sales_order_amount_net --period 2026-01 --where customer_code=C0027
    tieout trace worked_hours --period 2025-10 --csv --rows 0

    The amounts of the rows add up to the cell; if they did not, the command would say so and exit 1.
    """
    from tieout.cli.errors import CommandError
    from tieout.cli.metric import pairs
    from tieout.cli.open import working_copy
    from tieout.metrics.errors import MetricError, TraceMismatch
    from tieout.metrics.trace import trace as follow
    from tieout.settings import settings

    with working_copy(settings()) as con:
        try:
            found = follow(con, name, period=period, filters=pairs(where or []))
        except TraceMismatch as error:
            print(f"tieout: {error}", file=sys.stderr)
            sys.exit(1)
        except MetricError as error:
            raise CommandError(str(error)) from None
    if csv:
        _csv(found, rows)
    else:
        _show(found, rows)


HEADER = ["system", "table or file", "row", "record", "batch", "mart", "amount"]


def _csv(found: Trace, limit: int) -> None:
    from tieout.cli.show import csv_rows

    every = [row for part in (found, *found.inputs) for row in part.rows]
    csv_rows(HEADER, _lines(every[: limit or None]))


def _show(found: Trace, limit: int) -> None:
    from tieout.cli.show import heading, table, text

    heading(f"{found.metric} {found.period or 'all time'} {found.filters or ''}".strip())
    print(f"  cell   {text(found.cell)} {found.unit}")
    for part in found.inputs:
        _show(part, limit)
    if found.rows:
        largest = sorted(found.rows, key=lambda row: -abs(row.contribution))
        shown = largest[: limit or None]
        table(HEADER, _lines(shown))
        if len(shown) < len(found.rows):
            rest = sum(
                (row.contribution for row in largest[len(shown) :]), start=type(shown[0].contribution)(0)
            )
            print(
                f"  … and {len(found.rows) - len(shown)} smaller ones with {text(rest)} together (--rows 0 prints all)"
            )
    if found.unresolved:
        print(f"  {found.unresolved} rows have no raw row at hand")
    made = f"{len(found.rows)} rows, their sum" if found.rows else "the formula over them"
    print(f"  {made} {text(found.total)} {found.unit} = the cell")


def _lines(rows: list[Contribution]) -> list[tuple]:
    return [
        (row.source_system, row.origin, row.position, row.record, row.batch, row.fact, row.contribution)
        for row in rows
    ]
