"""The stewards' page: every doubtful pair side by side, why it is doubtful, and the two commands that settle it.

One static file like the board. It decides nothing itself: who decides is known to the command line, not to a file.
What is above class L2 is shown as dots.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from tieout.master_data.pairs import Pair
from tieout.pages.board import asset, digest, environment
from tieout.pages.personal import SHOWN, WITHHELD

_ENTITY = {"customer": "客户", "supplier": "供应商", "product": "产品", "employee": "员工"}


def write_review(
    pairs: Sequence[Pair], folder: Path, classes: Mapping[str, Mapping[str, str]], now: datetime
) -> Path:
    """Write `<folder>/review.html` in one piece.

    Args:
        classes: `master.<entity>_record` → column → L1 … L4; a column without one is withheld.
        now: Aware; printed on the page.

    Returns: the file.
    """
    shown = [_veiled(pair, classes.get(f"master.{pair.entity}_record", {})) for pair in pairs]
    style = asset("board.css")
    text = (
        environment()
        .get_template("review.html.jinja")
        .render(
            groups=[
                (entity, zh, [pair for pair in shown if pair.entity == entity])
                for entity, zh in _ENTITY.items()
            ],
            commands=_commands,
            style=style,
            policy=f"default-src 'none'; img-src data:; style-src {digest(style)}",
            now=now,
            count=len(shown),
        )
    )
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "review.html"
    part = folder / f".review.html.{os.getpid()}"
    try:
        part.write_text(text, "utf-8")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _veiled(pair: Pair, classes: Mapping[str, str]) -> Pair:
    """The pair as whoever opens the file may see it; the evidence of people quotes names, so it goes too."""

    def seen(name: str, value: str | None) -> str | None:
        return value if value is None or classes.get(name) in SHOWN else WITHHELD

    values = tuple((name, seen(name, a), seen(name, b)) for name, a, b in pair.values)
    hidden = {
        value
        for name, a, b in pair.values
        if classes.get(name) not in SHOWN
        for value in (a, b)
        if value and len(value) > 1
    }
    evidence = pair.evidence
    for value in sorted(hidden, key=len, reverse=True):
        evidence = evidence.replace(value, WITHHELD)
    return replace(pair, values=values, evidence=evidence)


def _commands(pair: Pair) -> tuple[str, str]:
    two = f"{shlex.quote(pair.a)} {shlex.quote(pair.b)} --entity {pair.entity} --by … --reason …"
    return f"tieout master same {two}", f"tieout master different {two}"
