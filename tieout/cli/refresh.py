"""`tieout refresh`, `tieout backfill`"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tieout.ingest.wanted import Wanted
    from tieout.refresh import Outcome


def refresh(
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Pull only this source or source.stream; may be repeated. The rest stays as loaded."
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option(help="Read streams with a cursor from the beginning, not only what is new.")
    ] = False,
    hinted: Annotated[
        bool,
        typer.Option(help="Pull only streams that a webhook has given a hint about since the last pull."),
    ] = False,
    force: Annotated[
        bool, typer.Option(help="Build, verify and publish even if nothing has changed.")
    ] = False,
) -> None:
    """Pull every source, load, build, verify, certify and publish. Safe to repeat, to kill and to run again.

    \b
    tieout refresh                                  what is new in every system
    tieout refresh --only hx_sales --full           everything of one system, from the beginning

    Connections come from the environment (`env:` references in sources/*/source.yaml); the sample
    company's are read from its doors.env.

    Exit codes: 0 published, or nothing had changed · 1 a strong rule broke, nothing published ·
    2 a source or file was refused, nothing published · 3 it could not be built ·
    4 published, but not certified (rows in quarantine, a control total that does not agree).
    """
    from tieout.ingest.wanted import Wanted

    if hinted:
        _hinted(tuple(only or ()), full=full, force=force)
        return
    _run(Wanted(tuple(only or ()), full), force=force)


def _hinted(only: tuple[str, ...], *, full: bool, force: bool) -> None:
    from tieout.cli.errors import CommandError
    from tieout.ingest.intake.inbox import open_hints, settle
    from tieout.ingest.wanted import Wanted
    from tieout.settings import settings

    if only:
        raise CommandError(
            "--hinted and --only exclude each other: the hints say what to pull. Nothing was done."
        )
    hints = open_hints(settings().home)
    if not hints:
        print("No hint since the last pull: nothing was pulled.")
        return
    names = tuple(
        dict.fromkeys(f"{hint.source}.{hint.stream}" if hint.stream else hint.source for hint in hints)
    )
    outcome = _refreshed(Wanted(names, full), force=force)
    if outcome.state != "refused":
        settle(settings().home, hints)
    sys.exit(int(outcome.exit))


def backfill(
    stream: Annotated[str, typer.Argument(help="source.stream")],
    start: Annotated[str, typer.Option("--from", help="First value of the window, 2025-11-01.")],
    end: Annotated[str, typer.Option("--to", help="First value after the window, 2025-12-01.")],
    on: Annotated[
        str | None, typer.Option(help="Column the window is of; the stream's cursor, if not given.")
    ] = None,
) -> None:
    """Read one window of one stream again and publish what it changes; nothing else is touched.

    \b
    tieout backfill hx_stock.stock_move --from 2025-11-01 --to 2025-12-01
    tieout backfill hx_sales.sale_sale  --from 2025-11-01 --to 2025-12-01 --on sale_date

    For rows that came later than the lateness the contract promises, and after a source repaired its past.
    Rows of the window replace what is held of them; what the source deleted is found by streams that say
    `deletes: keys`, at their next pull. Exit codes as of `tieout refresh`.
    """
    from tieout.cli.errors import CommandError
    from tieout.ingest.intake.ask import Window
    from tieout.ingest.wanted import Wanted

    if "." not in stream:
        raise CommandError(f"{stream!r} names no stream; write source.stream. Nothing was read.")
    if start >= end:
        raise CommandError(f"the window from {start} to {end} is empty. Nothing was read.")
    _run(Wanted((stream,), window=Window(start, end, on)))


def _run(wanted: Wanted, *, force: bool = False) -> None:
    sys.exit(int(_refreshed(wanted, force=force).exit))


def _refreshed(wanted: Wanted, *, force: bool) -> Outcome:
    from tieout.cli.company import company
    from tieout.cli.show import Lines
    from tieout.refresh import refresh as run
    from tieout.settings import settings

    with company(settings()):
        outcome = run(settings(), Lines(), force=force, wanted=wanted)
    say(outcome)
    return outcome


def say(outcome: Outcome) -> None:
    """One closing line on standard output; the reasons are on standard error already."""
    from tieout.refresh import Exit

    lines = outcome.message.splitlines()
    print(lines[0][0].upper() + lines[0][1:])
    if outcome.state == "failed":
        print("\n".join(lines[1:]), file=sys.stderr)
    if outcome.exit in (Exit.STRONG_RULE_BROKEN,):
        print(
            "Next: `tieout cases` names the causes, with documents and owners; `tieout tie` the identities; `tieout status` the checks."
        )
    if outcome.exit == Exit.SOURCE_REFUSED:
        print("Next: mend what the lines above name, then repeat; what has landed is not asked for again.")
    if outcome.certificate and not outcome.certificate.certified:
        print("Not certified: " + "; ".join(outcome.certificate.reasons))
