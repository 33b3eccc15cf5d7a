"""`tieout metrics`: what was published, what moved since, and who agreed to it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="""What was published, what moved since and why, and who agreed to a change of a definition.

    [bold]tieout metrics restated[/bold]      numbers that are not what was published before, with the cause of each cent
    [bold]tieout metrics published[/bold]     every value one number ever had
    [bold]tieout metrics diff[/bold]          how far each number would move if the definitions as edited were taken
    [bold]tieout metrics approve[/bold]       agree to that, signed
    [bold]tieout metrics numbers[/bold]       whether the same data still says the numbers that were agreed to
    [bold]tieout metrics versions[/bold]      the definitions one metric had, since when, and who agreed""",
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
    left = sum((abs(line.amount) for line in found if line.cause == "unexplained"), start=Decimal(0))
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


@app.command()
def diff(
    rev: Annotated[str, typer.Argument(help="The revision to compare with.")] = "HEAD",
    to: Annotated[
        str | None, typer.Argument(help="Another revision; left out: the files as they are now.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Compare with the definitions in this folder instead of a revision.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="Only this metric, with its movement by period; may be repeated.")
    ] = None,
    limit: Annotated[str, typer.Option(help="A movement up to this needs no approval.")] = "0.00",
    definitions_only: Annotated[
        bool,
        typer.Option("--definitions-only", help="Do not build other SQL that differs; say that it does."),
    ] = False,
) -> None:
    """How far every published number would move, by owner and period, and what reads it.

    \b
    tieout metrics diff                                  what is committed against the files as they are now
    tieout metrics diff HEAD~3 HEAD                      two revisions
    tieout metrics diff --metric sales_order_amount_net  one metric, period by period
    tieout metrics diff --against ../other/dbt_project/models/metrics

    Both sides are computed on the data of the last refresh. Exit code: 0 nothing moves, or what moves was approved;
    1 something moves by more than --limit and nobody agreed to it; 3 it cannot be computed.
    """
    import sys

    from tieout.cli.errors import CommandError
    from tieout.cli.metrics_diff import differences, show
    from tieout.metrics.errors import MetricError
    from tieout.settings import settings

    bound = _amount(limit)
    try:
        found = differences(settings(), rev, to, against, tuple(metric or ()), definitions_only)
    except MetricError as error:
        raise CommandError(str(error)) from None
    sys.exit(show(settings(), found, bound, bool(metric)))


@app.command()
def approve(
    metric: Annotated[
        str | None, typer.Argument(help="The metric whose new definition is agreed to.")
    ] = None,
    by: Annotated[str, typer.Option(help="Your name as access/approvers.yaml has it.")] = "",
    reason: Annotated[str, typer.Option(help="Why the definition changes.")] = "",
    new: Annotated[
        bool, typer.Option("--new", help="Write the first version of every metric that has none.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Agree to all you speak for that changed, and to new ones.")
    ] = False,
    effective: Annotated[
        str | None, typer.Option(help="Holds from this day on, 2026-01-01; left out: today.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Your private key; left out: ~/.tieout/NAME.key.")] = None,
) -> None:
    """Agree to a definition as it is written now, and to its numbers: measure what moves, write its version, sign it.

    \b
    tieout metrics approve sales_order_amount_net --by wang --reason "drafts were never orders"
    tieout metrics approve --new --by founders     first versions of new metrics: owner and agreed_by, no signature
    tieout metrics approve --all --by wang --reason "rates of the central bank from 2026 on"

    `--all` agrees to what you speak for and lists the rest. `tieout sync --check` fails as long as a metric's
    definition is another one than was agreed to, `tieout metrics numbers` as long as its numbers are.
    """
    from datetime import date

    from tieout.cli.errors import CommandError
    from tieout.cli.metrics_agree import approve_changes, approve_new
    from tieout.metrics.errors import MetricError
    from tieout.settings import settings

    if not by:
        raise CommandError("say who agrees: --by NAME")
    if not (metric or new or everything):
        raise CommandError("say which metric, or --new, or --all")
    try:
        day = date.fromisoformat(effective) if effective else None
    except ValueError:
        raise CommandError(f"--effective {effective}: write a day like 2026-01-01") from None
    file = key or Path.home() / ".tieout" / f"{by}.key"
    try:
        if new or everything:
            approve_new(settings(), by, reason)
        if metric or everything:
            approve_changes(settings(), metric, by=by, key=file, reason=reason, effective=day)
    except MetricError as error:
        raise CommandError(str(error)) from None


@app.command()
def key(
    name: Annotated[str, typer.Argument(help="Name under which you agree to changes.")],
    owner: Annotated[
        list[str] | None,
        typer.Option(help="Department you speak for, as `owner` of metrics; '*': every one."),
    ] = None,
    title: Annotated[str, typer.Option(help="What people call you.")] = "",
    file: Annotated[
        Path | None, typer.Option("--key", help="Where to; left out: ~/.tieout/NAME.key.")
    ] = None,
) -> None:
    """Make a key to sign with: the private half stays with you, the public one goes to access/approvers.yaml.

    \b
    tieout metrics key wang --owner sales --title "王敏, head of sales"
    """
    from tieout.cli.errors import CommandError
    from tieout.metrics.approve import approvers, approvers_file, new_key, trust
    from tieout.metrics.errors import MetricError
    from tieout.settings import settings

    place = file or Path.home() / ".tieout" / f"{name}.key"
    if not owner:
        raise CommandError("say for which departments: --owner sales, may be repeated")
    project = settings().dbt_project
    try:
        if name in approvers(project):
            raise CommandError(f"{name} is an approver already: take another name, or remove that line first")
        trust(project, name, tuple(owner), new_key(place), title)
    except MetricError as error:
        raise CommandError(str(error)) from None
    print(f"private key: {place} (keep it; nobody can sign in your name without it)")
    print(f"public key:  entered in {approvers_file(project).relative_to(project.parent)}; commit it")


@app.command()
def numbers(
    metric: Annotated[str | None, typer.Argument(help="One metric, month by month; left out: all.")] = None,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", help="Keep the numbers of new metrics, or of other data, to compare with later."
        ),
    ] = False,
    limit: Annotated[str, typer.Option(help="Movements up to this amount need no approval.")] = "0.00",
) -> None:
    """Whether the same data still says the numbers that were agreed to, whatever changed in SQL, contracts or code.

    \b
    tieout metrics numbers                              what moved, of which owner, by how much
    tieout metrics numbers revenue_amount_net           month by month
    tieout metrics numbers --keep                       of a new metric, or after the data of the company changed

    The numbers lie in dbt_project/metric_versions/METRIC.csv, and the last version of each metric answers for them. They
    are those of the sample company of `tieout demo`; keep your own company's for your own checks.
    Exit code: 0 as agreed to; 1 something moved by more than --limit; 3 there is nothing to compare with.
    """
    import sys

    from tieout.cli.errors import CommandError
    from tieout.cli.metrics_agree import show_numbers
    from tieout.metrics.errors import MetricError
    from tieout.settings import settings

    try:
        sys.exit(show_numbers(settings(), metric, keep=keep, limit=_amount(limit)))
    except MetricError as error:
        raise CommandError(str(error)) from None


@app.command()
def versions(
    metric: Annotated[
        str | None, typer.Argument(help="The metric; left out: the last version of every one.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="REV", help="Check that nothing agreed to in this revision was edited or taken out."
        ),
    ] = None,
) -> None:
    """The definitions a metric had: since when, what changed, how far its numbers moved, who agreed.

    \b
    tieout metrics versions
    tieout metrics versions sales_order_amount_net
    tieout metrics versions --since origin/main        for the check of a change: exit code 1 if history was rewritten
    """
    import sys

    from tieout.cli.errors import CommandError
    from tieout.cli.metrics_agree import show_rewritten, show_versions
    from tieout.metrics.errors import MetricError
    from tieout.settings import settings

    try:
        if since:
            sys.exit(show_rewritten(settings(), since))
        show_versions(settings(), metric)
    except MetricError as error:
        raise CommandError(str(error)) from None


def _amount(words: str) -> Decimal:
    from tieout.cli.errors import CommandError

    try:
        return Decimal(words)
    except InvalidOperation:
        raise CommandError(f"--limit {words}: say an amount, for example 1000.00") from None


def _blank(value: object) -> str:
    """A cell of a line that goes on with the number above it stays empty."""
    from tieout.cli.show import text

    return "" if value is None else text(value)
