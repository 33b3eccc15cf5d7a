"""`tieout trace`"""

from __future__ import annotations

import sys
from typing import Annotated

import typer


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
    from tieout.cli.metric import _pairs
    from tieout.cli.open import working_copy
    from tieout.metrics.errors import MetricError
    from tieout.metrics.trace import trace as follow
    from tieout.settings import settings

    with working_copy(settings()) as con:
        try:
            found = follow(con, name, period=period, where=_pairs(where or []))
        except MetricError as error:
            raise CommandError(str(error)) from None
    for part in found:
        _show(part, rows, csv)
    if any(part.cell != part.total for part in found):
        sys.exit(1)


def _show(part, rows: int, csv: bool) -> None: ...
