"""`tieout metric`"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tieout.metrics.receipt import Receipt


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
    receipt: Annotated[
        bool,
        typer.Option("--receipt", help="Keep a receipt and print its id; `tieout verify ID` reproduces it."),
    ] = False,
    receipt_file: Annotated[
        Path | None, typer.Option(help="Write the receipt to this file, to be sent to somebody.")
    ] = None,
) -> None:
    """Ask for one governed number. Each metric has one definition, one owner and one answer.

    \b
    tieout metric                                                   all metrics, with what they replace
    tieout metric sales_order_amount_net --grain month
    tieout metric revenue_amount_net --grain month --by customer_name --period 2025-11
    tieout metric stock_on_hand_qty --by product_code --where warehouse_code=SH
    tieout metric revenue_amount_net --period 2025-11 --receipt

    Reads the last publish, so it never waits for a refresh and agrees with every BI tool. The line under the
    table says what the answer was computed from: publish and content, definition, access rules, cut-off.
    """
    from tieout.cli.errors import CommandError
    from tieout.cli.open import published
    from tieout.cli.show import csv_rows, table
    from tieout.metrics.answer import answer
    from tieout.metrics.errors import MetricError
    from tieout.metrics.receipt import Question, ids_of, receipt_of
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
        ids = ids_of(con, said.definition_version)
    if sql:
        print(said.sql)
        return
    show(said.columns, said.rows)
    if ids is None:
        raise CommandError("this file does not say which publish it is. Run `tieout refresh`.")
    if not csv:
        print(f"\n{ids}")
    if receipt or receipt_file:
        asked = Question(name, grain, tuple(by or ()), period, tuple(_texts(where or [])))
        _keep(receipt_of(asked, said, ids, datetime.now(UTC)), settings().home, receipt_file, err=csv)


_CATALOG = """
    select metric_name as metric, label as 名称, unit, tax, time_role, additivity, owner, replaces
    from metrics.metric_catalog order by metric_name
"""


def _keep(receipt: Receipt, home: Path, file: Path | None, *, err: bool) -> None:
    """Keep a receipt and say its id; on the error stream if what is printed is data."""
    from tieout.metrics.receipt import keep, write_receipt

    keep(receipt, home)
    if file is not None:
        write_receipt(receipt, file)
    typer.echo(f"receipt {receipt.id}{f' ({file})' if file else ''}", err=err)


def _texts(where: list[str]) -> list[tuple[str, str]]:
    return [(key, str(value)) for key, value in pairs(where).items()]


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
