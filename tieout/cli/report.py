"""`tieout report`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tieout.claimed.check import Checked, Report
    from tieout.claimed.explain import Explanation

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Figures departments hand in, compared with the governed metrics; each difference explained by its rows.",
)

MARK = {"agrees": "✓", "explained": "≈", "unexplained": "✗"}


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="CSV or Excel: one figure a line, or months across.")],
    sheet: Annotated[
        str | None, typer.Option(help="Sheet of the workbook; left out: all visible ones.")
    ] = None,
    by: Annotated[
        str,
        typer.Option(help="Department that hands it in, where the file does not say it: sales or 销售部."),
    ] = "",
    metric: Annotated[
        list[str] | None,
        typer.Option(help="The governed metric of every line, or WORD=METRIC for one word; may be repeated."),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Column that limits nothing; may be repeated.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page that can be sent.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    documents: Annotated[int, typer.Option(help="Documents to print with each cause.")] = 5,
) -> None:
    """Does what a department reports agree with the governed figures, and if not, why?

    \b
    tieout report check 销售月报.xlsx --by 销售部
    tieout report check figures.csv --metric 销售额=revenue_amount_net --html why.html
    tieout report check orders.csv --metric sales_order_amount_net      a file with document numbers

    ✓ agrees: to the cent · ≈ explained: rows make every cent of the difference · ✗ unexplained: they do not.
    Exit code 0: all agree or are explained; 1: something is unexplained; 2: the file, or a line of it, cannot be read.
    """
    import json
    from datetime import UTC, datetime

    from tieout.claimed.check import check_file
    from tieout.claimed.errors import ClaimedFileError
    from tieout.cli.errors import CommandError
    from tieout.cli.open import published
    from tieout.metrics.errors import MetricError, TraceMismatch
    from tieout.settings import settings

    with published(settings()) as con:
        try:
            report = check_file(
                con, file, sheet=sheet, department=by, metrics=_meanings(metric or []), ignore=ignore or ()
            )
        except TraceMismatch as error:
            raise CommandError(str(error)) from None
        except (ClaimedFileError, MetricError) as error:
            print(f"tieout: {error}", file=sys.stderr)
            sys.exit(2)
    if html is not None:
        from tieout.claimed.page import write_page

        write_page(report, html, datetime.now(UTC))
    if as_json:
        from tieout.claimed.said import as_json as plain

        print(json.dumps(plain(report), ensure_ascii=False, indent=1))
    else:
        show_report(report, documents)
        if html is not None:
            print(f"\n{html}")
    if report.unread:
        sys.exit(2)
    if report.unexplained:
        sys.exit(1)


@app.command()
def template(
    file: Annotated[Path, typer.Argument(help="File to write: .xlsx with instructions, or .csv.")],
    by: Annotated[str, typer.Option(help="Department that will fill it in.")] = "",
) -> None:
    """Write the sheet a department fills in: headers, examples, instructions in Chinese and English.

    \b
    tieout report template 上报.xlsx --by sales
    """
    from tieout.claimed.errors import ClaimedFileError
    from tieout.claimed.template import write_template
    from tieout.claimed.words import Vocabulary
    from tieout.cli.errors import CommandError
    from tieout.cli.open import published
    from tieout.settings import settings

    try:
        if (settings().snapshots / "current.duckdb").exists():
            with published(settings()) as con:
                write_template(file, Vocabulary(con), by)
        else:
            write_template(file, None, by)
    except ClaimedFileError as error:
        raise CommandError(str(error)) from None
    print(f"{file}: fill it in, then `tieout report check {file}`")


@app.command()
def keep(
    file: Annotated[Path, typer.Argument(help="CSV or Excel, as for `tieout report check`.")],
    person: Annotated[str, typer.Option(help="Who hands it in.")],
    by: Annotated[str, typer.Option(help="Department, where the file does not say it.")] = "",
    sheet: Annotated[str | None, typer.Option(help="Sheet of the workbook.")] = None,
    metric: Annotated[list[str] | None, typer.Option(help="METRIC, or WORD=METRIC; may be repeated.")] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Column that limits nothing; may be repeated.")
    ] = None,
) -> None:
    """Keep a report: it is compared again with every publish, so that a figure that moves later is noticed.

    \b
    tieout report keep 销售月报.xlsx --by 销售部 --person 王芳
    """
    from datetime import UTC, datetime

    from tieout.claimed.check import check_file
    from tieout.claimed.errors import ClaimedFileError
    from tieout.claimed.kept import keep as store
    from tieout.cli.open import published
    from tieout.metrics.errors import MetricError
    from tieout.settings import settings

    meant = _meanings(metric or [])
    try:
        with published(settings()) as con:
            report = check_file(con, file, sheet=sheet, department=by, metrics=meant, ignore=ignore or ())
        one = store(
            settings().landing, file, by=person, now=datetime.now(UTC), department=by, sheet=sheet, metrics=meant,
            ignore=ignore or (),
        )  # fmt: skip
    except (ClaimedFileError, MetricError) as error:
        print(f"tieout: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"{one.report_id}: {file.name} is kept; {_counts(report)}. Every publish compares it again.")


@app.command("list")
def list_reports() -> None:
    """Which reports are kept, and what the last publish made of them."""
    from tieout.claimed.errors import ClaimedFileError
    from tieout.claimed.kept import kept
    from tieout.cli.errors import CommandError
    from tieout.cli.open import working_copy
    from tieout.cli.show import table
    from tieout.engine import relations
    from tieout.settings import settings

    try:
        reports = kept(settings().landing)
    except ClaimedFileError as error:
        raise CommandError(str(error)) from None
    if not reports:
        print("no report is kept. `tieout report keep FILE --person NAME` keeps one.")
        return
    with working_copy(settings()) as con:
        rows = con.execute(_LAST).fetchall() if "ops.claimed_figure" in relations(con) else []
    last = {report: (publish, *counts) for report, publish, *counts in rows}
    table(
        ["report", "file", "department", "handed in by", "at", "publish", "agree", "explained", "unexplained", "unread"],
        [
            (one.report_id, one.file, one.department, one.by, one.at, *last.get(one.report_id, ("not compared yet", *[None] * 4)))
            for one in reports
        ],
    )  # fmt: skip


_LAST = """
    select report_id, publish_id, count(*) filter (state = 'agrees'), count(*) filter (state = 'explained'),
        count(*) filter (state = 'unexplained'), count(*) filter (state = 'unread')
    from ops.claimed_figure
    where (report_id, compared_at) in (select (report_id, max(compared_at)) from ops.claimed_figure group by report_id)
    group by report_id, publish_id
"""


@app.command()
def show(
    report_id: Annotated[str, typer.Argument(help="As `tieout report list` prints it.")],
    documents: Annotated[int, typer.Option(help="Documents to print with each cause.")] = 5,
) -> None:
    """A kept report against what is published now; exit code as `tieout report check`."""
    from tieout.claimed.errors import ClaimedFileError
    from tieout.claimed.kept import compared, kept_one
    from tieout.cli.open import published
    from tieout.metrics.errors import MetricError
    from tieout.settings import settings

    try:
        one = kept_one(settings().landing, report_id)
        with published(settings()) as con:
            report = compared(con, settings().landing, one)
    except (ClaimedFileError, MetricError) as error:
        print(f"tieout: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"{one.report_id}: {one.file}, handed in by {one.by} at {one.at}\n")
    show_report(report, documents)
    if report.unread:
        sys.exit(2)
    if report.unexplained:
        sys.exit(1)


def _meanings(said: list[str]) -> dict[str, str]:
    """`WORD=METRIC` or `METRIC` as typed, taken apart; the metric of every line is under ''."""
    found = {}
    for item in said:
        word, equals, name = item.rpartition("=")
        found[word.strip() if equals else ""] = name.strip()
    return found


def show_report(report: Report, documents: int) -> None:
    """The figures as one table, then each difference with its causes."""
    from tieout.cli.show import heading, table

    table(
        [
            "",
            "line",
            "department",
            "metric",
            "period",
            "limited to",
            "claimed",
            "governed",
            "difference",
            "unit",
        ],
        [
            (
                MARK[item.state],
                item.claim.place,
                item.claim.department,
                item.claim.metric.name,
                item.claim.span.text,
                " ".join(one.said for one in item.claim.filters),
                item.claim.figure.value,
                item.governed,
                item.difference,
                item.claim.metric.metric.unit,
            )
            for item in report.checked
        ],
        right=(6, 7, 8),
    )
    for item in report.checked:
        if item.state != "agrees":
            _why(item, documents)
        elif item.notes:
            print(f"\nline {item.claim.place}: {'; '.join(item.notes)}")
    for item in report.unread:
        heading(f"! line {item.unread.place}: not compared")
        print(f"  {item.unread.reason}")
        if item.candidates:
            table(
                ["if it means", "", "governed", "difference"],
                [(known.name, known.metric.label, governed, off) for known, governed, off in item.candidates],
            )
    for note in report.notes:
        print(f"\n{note}")
    print(f"\n{_counts(report)}")


def _counts(report: Report) -> str:
    counts = {state: sum(item.state == state for item in report.checked) for state in MARK}
    left = f", {len(report.unread)} not compared" if report.unread else ""
    return (
        f"{len(report.checked)} figures against {report.publish_id}: {counts['agrees']} agree, "
        f"{counts['explained']} explained, {counts['unexplained']} unexplained{left}"
    )


def _why(item: Checked, documents: int) -> None:
    from tieout.cli.show import heading, text

    metric = item.claim.metric.metric
    heading(
        f"{MARK[item.state]} line {item.claim.place}: {item.claim.word} {item.claim.span.text} "
        f"is {text(item.difference)} {metric.unit} off {metric.label} {metric.name}"
    )
    for note in item.notes:
        print(f"  {note}")
    for number, one in enumerate(item.explanations, start=1):
        if item.state == "unexplained":
            print(f"  explains a part ({number}):")
        elif len(item.explanations) > 1:
            print(f"  {'most likely' if number == 1 else 'or'}:")
        _causes(one, documents)
    if not item.explanations:
        print("  no rows explain it. Hand in the documents behind the figure: they are matched one by one.")


def _causes(one: Explanation, documents: int) -> None:
    from tieout.claimed.explain import CAUSES
    from tieout.claimed.page import DOUBTFUL
    from tieout.cli.show import table, text

    rows = [
        (
            CAUSES[cause.kind].zh,
            CAUSES[cause.kind].en,
            f"{cause.title.zh} / {cause.title.en}",
            cause.amount,
            ", ".join(f"{doc.number} {text(doc.amount)}" for doc in cause.documents[:documents])
            + (f" … {cause.count} documents" if cause.count > documents else ""),
        )
        for cause in one.causes
    ]
    table(
        ["cause", "", "", "amount", "documents"],
        [*rows, ("残差", "residual", "", one.residual, "")],
        right=(3,),
    )
    if one.chance > DOUBTFUL:
        print(
            f"  may be a coincidence: about {one.chance:.2g} of the combinations tried would meet it by chance"
        )
