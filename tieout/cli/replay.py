"""`tieout replay`"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tieout.ingest.replay import Replayed


def replay(
    check: Annotated[
        bool, typer.Option("--check", help="Only compare; the warehouse stays as it is.")
    ] = False,
    raw_only: Annotated[
        bool, typer.Option("--raw-only", help="With --check: compare raw tables, build no marts.")
    ] = False,
) -> None:
    """Rebuild the warehouse from landing alone and compare it with the one that is held.

    No system is asked. The new warehouse takes the place of the old one in one rename; runs, publishes,
    certificates and the history of checks are carried over. What is published is not touched.

    Exit codes: 0 every table came out as it was held · 1 some differ (they are listed) · 3 it could not be built.
    """
    from datetime import UTC, datetime

    from sources.contract import read_sources
    from tieout.cli.errors import CommandError
    from tieout.cli.show import Lines
    from tieout.ingest.replay import replay as run
    from tieout.refresh import measure, only_one, stoppable, transform
    from tieout.settings import Settings, settings

    if raw_only and not check:
        raise CommandError("--raw-only goes with --check: a warehouse without marts replaces none.")
    progress = Lines()

    def build(aside: Settings) -> None:
        transform(aside, progress)
        measure(aside, progress)

    with only_one(settings()), stoppable():
        done = run(
            settings(),
            read_sources(settings().sources),
            progress,
            datetime.now(UTC),
            build=None if raw_only else build,
            check=check,
        )
    say(done)
    sys.exit(1 if done.differences else 0)


def say(done: Replayed) -> None:
    """What differs, table by table, and one closing line."""
    from tieout.cli.show import table

    for note in done.notes:
        print(f"note: {note}", file=sys.stderr)
    if done.differences:
        table(
            ["table", "rows held", "rows from landing"],
            [
                (
                    item.table,
                    _rows(item.rows_held),
                    _rows(item.rows_rebuilt),
                )
                for item in done.differences
            ],
        )
    counted = f"{done.batches:,} batches, {done.rows:,} rows, {done.tables} tables"
    ending = "the warehouse was replaced" if done.replaced else "the warehouse was not touched"
    if done.differences:
        print(f"Replayed {counted}: {len(done.differences)} tables differ; {ending}")
        print(
            "Next: a contract, model or program that changed since the last refresh explains a difference; "
            "`tieout refresh` builds and publishes anew."
        )
    else:
        print(f"Replayed {counted}: nothing differs; {ending}")


def _rows(count: int | None) -> str:
    return "no such table" if count is None else f"{count:,}"
