"""The command line. One command a file; heavy imports stay inside the command that needs them."""

from __future__ import annotations

import sys

import typer

from tieout.cli import (
    cases,
    certificate,
    controls,
    demo,
    dev,
    dictionary,
    drift,
    erase,
    inbox,
    master,
    metric,
    metrics,
    process,
    profile,
    prove,
    quarantine,
    query,
    refresh,
    replay,
    report,
    review,
    sandbox,
    score,
    serve,
    source,
    standards,
    status,
    storage,
    sync,
    tie,
    trace,
    verify,
)

app = typer.Typer(
    name="tieout",
    help="""Tieout: pull every system's raw data together, give each word one meaning, prove that the
departments' numbers agree, publish the result in one switch, serve it over SQL.

First time?  [bold]tieout demo[/bold] runs everything on a sample company.
Every day:   [bold]tieout refresh[/bold], then [bold]tieout status[/bold] and [bold]tieout tie[/bold].
Questions:   [bold]tieout metric[/bold], [bold]tieout trace[/bold], [bold]tieout query[/bold]; BI tools: [bold]tieout serve[/bold].""",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)

DAILY, QUESTIONS, INCOMING = "Every day", "Questions", "What came in"
SAFE, CONNECT = "Proof and repair", "Connecting systems"

app.command("demo", rich_help_panel=DAILY)(demo.demo)
app.command("refresh", rich_help_panel=DAILY)(refresh.refresh)
app.command("status", rich_help_panel=DAILY)(status.status)
app.command("score", rich_help_panel=DAILY)(score.score)
app.command("review", rich_help_panel=DAILY)(review.review)
app.command("serve", rich_help_panel=DAILY)(serve.serve)
app.command("dev", rich_help_panel=DAILY)(dev.dev)
app.command("metric", rich_help_panel=QUESTIONS)(metric.metric)
app.add_typer(metrics.app, name="metrics", rich_help_panel=QUESTIONS)
app.command("dictionary", rich_help_panel=QUESTIONS)(dictionary.dictionary)
app.command("tie", rich_help_panel=QUESTIONS)(tie.tie)
app.command("certificate", rich_help_panel=QUESTIONS)(certificate.certificate)
app.command("cases", rich_help_panel=QUESTIONS)(cases.cases)
app.add_typer(master.app, name="master", rich_help_panel=QUESTIONS)
app.add_typer(standards.app, name="standards", rich_help_panel=QUESTIONS)
app.add_typer(report.app, name="report", rich_help_panel=QUESTIONS)
app.command("trace", rich_help_panel=QUESTIONS)(trace.trace)
app.command("verify", rich_help_panel=QUESTIONS)(verify.verify)
app.command("query", rich_help_panel=QUESTIONS)(query.query)
app.command("controls", rich_help_panel=INCOMING)(controls.controls)
app.add_typer(quarantine.app, name="quarantine", rich_help_panel=INCOMING)
app.add_typer(drift.app, name="drift", rich_help_panel=INCOMING)
app.command("backfill", rich_help_panel=INCOMING)(refresh.backfill)
app.add_typer(prove.app, name="prove", rich_help_panel=SAFE)
app.command("replay", rich_help_panel=SAFE)(replay.replay)
app.add_typer(storage.app, name="storage", rich_help_panel=SAFE)
app.command("erase", rich_help_panel=SAFE)(erase.erase)
app.add_typer(source.app, name="source", rich_help_panel=CONNECT)
app.command("profile", rich_help_panel=CONNECT)(profile.profile)
app.add_typer(process.app, name="process", rich_help_panel=CONNECT)
app.command("inbox", rich_help_panel=CONNECT)(inbox.inbox)
app.add_typer(sandbox.app, name="sandbox", rich_help_panel=CONNECT)
app.command("sync", hidden=True)(sync.sync)


def main() -> None:
    """Entry point: a failure is one message and an exit code; the frames of a bug go to a file."""
    try:
        app()
    except KeyboardInterrupt:
        print("\nstopped; what is published is unchanged. Repeat the command to go on.", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        from tieout.cli.errors import expected

        if isinstance(error, expected()):
            print(f"tieout: {error}", file=sys.stderr)
        else:
            _bug(error)
        sys.exit(3)


def _bug(error: Exception) -> None:
    import traceback

    from tieout.settings import settings

    file = settings().logs / "failure.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    print(
        f"tieout: something that should not happen: {type(error).__name__}: {error}\n"
        f"What was published stays as it was. Details for a report: {file}",
        file=sys.stderr,
    )
