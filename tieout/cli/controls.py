"""`tieout controls`"""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def controls(
    source: Annotated[str | None, typer.Option(help="Only totals of this system.")] = None,
    off: Annotated[bool, typer.Option("--off", help="Only totals that do not agree.")] = False,
    csv: Annotated[bool, typer.Option(help="Print CSV instead of a table.")] = False,
) -> None:
    """What the systems say about themselves against what we hold: counts, sums, balances.

    \b
    tieout controls                      every total: what the source says, what we hold, the difference
    tieout controls --off                only the ones that do not agree, with what to do
    tieout controls --source hx_finance

    `we hold` counts rows in quarantine too, since they arrived; `quarantined` says how much of it they are.
    A stream nobody controls is listed as unproved. Exit 0 all agree · 1 one does not.
    """
    from sources.contract import read_sources
    from tieout.cli.open import working_copy
    from tieout.cli.show import csv_rows, heading, table
    from tieout.ingest.controls import totals, unproved
    from tieout.settings import settings

    with working_copy(settings()) as con:
        sources = read_sources(settings().sources)
        found = [item for item in totals(con, sources) if source in (None, item.source)]
        missing = [item for item in unproved(con, sources) if source in (None, item[0])]
    wrong = [item for item in found if not item.agrees]
    names = [
        "total",
        "measure",
        "source says",
        "we hold",
        "difference",
        "quarantined",
        "agrees",
        "asked (UTC)",
    ]
    cells = [
        (
            ".".join(filter(None, (item.source, item.stream)))
            + ("" if item.origin in {item.source} else f" ({item.origin})"),
            item.measure,
            item.source_says,
            item.we_hold,
            item.difference,
            item.quarantined,
            item.agrees,
            item.at,
        )
        for item in (wrong if off else found)
    ]
    if csv:
        csv_rows(names, cells)
    else:
        heading(f"Control totals: {len(found) - len(wrong):,} of {len(found):,} agree")
        if cells:
            table(names, cells, right=(2, 3, 4, 5))
        for item in wrong:
            print(f"  {'.'.join(filter(None, (item.source, item.stream)))} {item.measure}: {item.next}")
        if missing and not off:
            heading(f"Unproved: {len(missing):,}")
            table(["source", "stream", "why"], missing)
    sys.exit(1 if wrong else 0)
