"""`tieout metrics`: what was published, what moved since, and who agreed to it."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="""What was published, what moved since and why, and who agreed to a change of a definition.

    [bold]tieout metrics restated[/bold]      numbers that are not what was published before, with the cause of each cent
    [bold]tieout metrics published[/bold]     every value one number ever had""",
)


@app.command()
def restated(
    metric: Annotated[str | None, typer.Argument(help="One metric; left out: all.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only what moved after this publish; left out: ever.")
    ] = None,
    period: Annotated[str | None, typer.Option(help="One month, for example 2025-11.")] = None,
    by: Annotated[
        str | None,
        typer.Option(help="Dimension set, for example customer_code; 'any': all of them; left out: totals."),
    ] = None,
    growth: Annotated[
        bool, typer.Option("--growth", help="Also periods and systems published for the first time.")
    ] = False,
    csv: Annotated[bool, typer.Option(help="Print CSV with full precision instead of a table.")] = False,
) -> None:
    """Published numbers that moved: before, after, and the amount of each cause, which add up.

    \b
    tieout metrics restated                                       every total of a month that moved
    tieout metrics restated revenue_amount_net --period 2025-11   one number, with source rows
    tieout metrics restated --by customer_code --since P20261101T020000-1a2b3c4d

    Causes: definition · merge_or_split (same rows, another customer, product or supplier) · model (SQL in between) ·
    repair (rows let in from quarantine) · source_edit · deletion · late_row (its month was closed and published) ·
    unexplained, which should not happen. Growth: new_period, new_source.
    """
    from tieout.cli.errors import CommandError
    from tieout.cli.open import working_copy
    from tieout.cli.show import csv_rows, table
    from tieout.metrics.errors import MetricError
    from tieout.metrics.restate import lines
    from tieout.settings import settings

    wanted = None if by == "any" else by or "all"
    with working_copy(settings()) as con:
        try:
            found = lines(con, metric, since=since, period=period, by=wanted, growth=growth)
        except MetricError as error:
            raise CommandError(str(error)) from None
    columns = [
        "publish",
        "metric",
        "month",
        "member",
        "before",
        "after",
        "cause",
        "amount",
        "rows",
        "for example",
    ]
    rows: list[list[object]] = []
    last: tuple[object, ...] = ()
    for line in found:
        number = (line.publish_id, line.metric, line.period, line.dim_set, line.dims)
        head: list[object] = [line.publish_id, line.metric, line.period, line.dims, line.before, line.after]
        if number == last and not csv:
            head = [""] * 4 + [None, None]
        last = number
        rows.append([*head, line.cause, line.amount, line.rows, line.note or line.evidence])
    if csv:
        csv_rows(columns, rows)
        return
    if not rows:
        print("no published number has moved" + (" so" if metric or since or period else ""))
        return
    table(
        columns, [[*row[:4], *(_blank(value) for value in row[4:6]), *row[6:]] for row in rows], right=(4, 5)
    )
    numbers = {(line.publish_id, line.metric, line.period, line.dim_set, line.dims) for line in found}
    left = sum((abs(line.amount) for line in found if line.cause == "unexplained"), start=_zero())
    print(f"\n{len(numbers):,} numbers moved; without a cause: {left:,.2f}")


@app.command()
def published(
    metric: Annotated[str, typer.Argument(help="The metric.")],
    period: Annotated[
        str | None, typer.Option(help="A month, 2025-11; left out: the total over all time.")
    ] = None,
    by: Annotated[str, typer.Option(help="Dimension set, for example customer_code.")] = "all",
    member: Annotated[str | None, typer.Option(help="One member of it, for example C00012.")] = None,
) -> None:
    """Every value one number ever had, with the publish it began with and the one it ended with.

    \b
    tieout metrics published revenue_amount_net --period 2025-11
    tieout metrics published revenue_amount_net --period 2025-11 --by company_code --member HX
    """
    from tieout.cli.errors import CommandError
    from tieout.cli.open import working_copy
    from tieout.cli.show import table
    from tieout.metrics.errors import MetricError
    from tieout.metrics.restate import published_values
    from tieout.settings import settings

    with working_copy(settings()) as con:
        try:
            found = published_values(con, metric, period, by, member)
        except MetricError as error:
            raise CommandError(str(error)) from None
    if not found:
        print("this number was never published: ask for another month, or for --by as the metric declares it")
        raise typer.Exit(1)
    table(
        ["month", "member", "value", "unit", "definition", "from", "until"],
        [
            (v.period, v.dims, v.value, v.unit, v.definition_version, v.publish_from, v.publish_to or "now")
            for v in found
        ],
    )


def _blank(value: object) -> str:
    """A cell of a line that goes on with the number above it stays empty."""
    from tieout.cli.show import text

    return "" if value is None else text(value)


def _zero():
    from decimal import Decimal

    return Decimal(0)
