"""`tieout metric`"""

from __future__ import annotations

from typing import Annotated

import typer


def metric(
    name: Annotated[str | None, typer.Argument(help="Metric; leave it out to list all of them.")] = None,
    grain: Annotated[
        str | None, typer.Option(help="day, week, month, quarter or year; left out: all time.")
    ] = None,
    by: Annotated[list[str] | None, typer.Option(help="Dimension to split by; may be repeated.")] = None,
    where: Annotated[list[str] | None, typer.Option(help="dimension=value; may be repeated.")] = None,
    period: Annotated[str | None, typer.Option(help="One period: 2025, 2025-11 or 2025-11-30.")] = None,
    csv: Annotated[bool, typer.Option(help="Print CSV with full precision instead of a table.")] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL instead of running it.")] = False,
) -> None:
    """Ask for one governed number. Each metric has one definition, one owner and one answer.

    \b
    tieout metric                                                   all metrics, with what they replace
    tieout metric sales_order_amount_net --grain month
    tieout metric revenue_amount_net --grain month --by customer_name --period 2025-11
    tieout metric stock_on_hand_qty --by product_code --where warehouse_code=SH

    Reads the last publish, so it never waits for a refresh and agrees with every BI tool.
    """
    from tieout.cli.errors import CommandError
    from tieout.cli.open import published
    from tieout.cli.show import csv_rows, table
    from tieout.metrics.answer import answer
    from tieout.metrics.errors import MetricError
    from tieout.settings import settings

    show = csv_rows if csv else table
    with published(settings()) as con:
        if name is None:
            cursor = con.execute(_CATALOG)
            show([item[0] for item in cursor.description or []], cursor.fetchall())
            return
        try:
            said = answer(con, name, grain=grain, by=tuple(by or ()), period=period, where=pairs(where or []))
        except MetricError as error:
            raise CommandError(str(error)) from None
    if sql:
        print(said.sql)
        return
    show(said.columns, said.rows)


_CATALOG = """
    select metric_name as metric, label as 名称, unit, tax, time_role, additivity, owner, replaces
    from metrics.metric_catalog order by metric_name
"""


def pairs(where: list[str]) -> dict[str, object]:
    """`dimension=value` as typed, taken apart.

    Raises: CommandError if there is no equals sign.
    """
    from tieout.cli.errors import CommandError

    found: dict[str, object] = {}
    for item in where:
        dimension, equals, value = item.partition("=")
        if not equals:
            raise CommandError(f"--where {item}: say dimension=value, for example warehouse_code=SH")
        found[dimension.strip()] = value.strip()
    return found
