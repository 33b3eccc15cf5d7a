"""The command line. One command a file; heavy imports stay inside the command that needs them."""

from __future__ import annotations

import sys

import typer

from tieout.cli import (
    controls,
    demo,
    dev,
    drift,
    inbox,
    metric,
    prove,
    quarantine,
    query,
    refresh,
    replay,
    serve,
    source,
    status,
    storage,
    sync,
    tie,
    trace,
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

app.command("demo")(demo.demo)
app.command("refresh")(refresh.refresh)
app.command("backfill")(refresh.backfill)
app.command("replay")(replay.replay)
app.add_typer(prove.app, name="prove")
app.add_typer(storage.app, name="storage")
app.command("status")(status.status)
app.command("query")(query.query)
app.command("metric")(metric.metric)
app.command("tie")(tie.tie)
app.command("trace")(trace.trace)
app.command("serve")(serve.serve)
app.add_typer(drift.app, name="drift")
app.command("inbox")(inbox.inbox)
app.add_typer(source.app, name="source")
app.command("dev")(dev.dev)
app.command("controls")(controls.controls)
app.add_typer(quarantine.app, name="quarantine")
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
