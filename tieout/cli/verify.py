"""`tieout verify`"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

CODES = {"equal": 0, "differs": 1, "impossible": 3}


def verify(
    receipt: Annotated[
        str | None, typer.Argument(help="Id (or its beginning) or file; left out: list what is kept.")
    ] = None,
    rebuild: Annotated[
        bool, typer.Option(help="Build that publish again from landing, even if its snapshot is kept.")
    ] = False,
) -> None:
    """Reproduce the number of a receipt, which `tieout metric … --receipt` made.

    \b
    tieout verify                       the receipts that are kept
    tieout verify 3f9a                  from the snapshot of that publish; if it is gone, rebuilt from landing
    tieout verify board-pack.json       a receipt somebody sent
    tieout verify 3f9a --rebuild        from landing in any case (about as long as a refresh)

    Exit codes: 0 reproduced, equal · 1 differs, or the receipt or the snapshot was altered ·
    3 cannot be reproduced, and why.
    """
    import duckdb

    from tieout.cli.errors import CommandError
    from tieout.cli.show import Lines
    from tieout.metrics.receipt import Tampered, find_receipt
    from tieout.refresh import stoppable
    from tieout.reproduce import reproduce
    from tieout.settings import settings

    if receipt is None:
        _list(settings().home)
        return
    try:
        found = find_receipt(receipt, settings().home)
    except Tampered as error:
        print(f"differs: the receipt was altered: {error}. Nothing was computed.")
        sys.exit(CODES["differs"])
    try:
        with stoppable():
            done = reproduce(settings(), found, Lines(), rebuild=rebuild)
    except duckdb.IOException as error:
        if "lock" not in str(error):
            raise
        raise CommandError(
            "a refresh is writing the warehouse right now, which says what was published. Ask again when it has ended."
        ) from None
    asked = found.question
    about = [
        asked.metric,
        *(f"by {name}" for name in asked.by),
        *(f"{key}={value}" for key, value in asked.where),
        *filter(None, (asked.grain, asked.period)),
    ]
    print(f"receipt {found.id} of {found.asked_at[:16].replace('T', ' ')} UTC: {' · '.join(about)}")
    print(f"  {found.ids}")
    words = {"equal": "reproduced: equal", "differs": "differs", "impossible": "cannot be reproduced"}
    because = " because:" if done.state == "impossible" else ":" if done.reasons else ""
    counted = f" ({found.row_count:,} rows)" if done.state == "equal" else ""
    print(f"{words[done.state]}{counted}{because or ','} {done.how}")
    for line in done.reasons:
        print(f"  - {line}")
    for line in done.notes:
        print(f"  note: {line}")
    sys.exit(CODES[done.state])


def _list(home: Path) -> None:
    from tieout.cli.show import table
    from tieout.metrics.receipt import FOLDER, ReceiptError, read_receipt

    rows = []
    for path in sorted((home / FOLDER).glob("*.json")):
        try:
            found = read_receipt(path)
        except ReceiptError as error:
            rows.append((path.stem, "", str(error), "", None, ""))
            continue
        rows.append(
            (found.id, found.asked_at[:16], found.question.metric, found.ids.publish_id, found.row_count,
             "yes" if found.ids.certified else "no")
        )  # fmt: skip
    if not rows:
        print("no receipt is kept yet; `tieout metric … --receipt` makes one")
        return
    table(["receipt", "asked (UTC)", "metric", "publish", "rows", "certified"], rows)
