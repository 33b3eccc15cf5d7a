"""The monthly review pack: one static page for the meeting where departments look at their numbers together.

Certificates over the month, what ties out, what is broken and since when, which checks fail, scores, what waits in
quarantine, what was restated, what is open. Like the board it asks nothing from outside; no row of anybody is on it,
only counts and sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.pages import words
from tieout.pages.board import asset, digest, environment
from tieout.pages.monthly_content import AGES, Month, OpenBreak
from tieout.pages.words import Clock
from tieout.whole import write_whole

if TYPE_CHECKING:
    from markupsafe import Markup

_WIDTH, _HEIGHT = 120, 28


def write_monthly(found: Month, folder: Path, zones: set[str], now: datetime) -> Path:
    """Write `<folder>/review-<month>.html` in one piece.

    Args:
        zones: Of the connected systems; instants are shown in it if they share one.
        now: Aware; printed on the page.

    Returns: the file.
    """
    style = asset("board.css") + asset("monthly.css")
    text = (
        environment()
        .get_template("monthly.html.jinja")
        .render(
            month=found,
            ages=_by_owner_and_age(found.breaks),
            buckets=_buckets(),
            spark=spark,
            strip=strip,
            percent=percent,
            clock=Clock(zones),
            words=words,
            style=style,
            policy=f"default-src 'none'; img-src data:; style-src {digest(style)}",
            now=now,
            is_over=now.date() >= found.after,
        )
    )
    path = folder / f"review-{found.first:%Y-%m}.html"
    write_whole(path, text)
    return path


def percent(share: Decimal | None) -> str:
    """A share with as many digits as it takes not to round a defect away: never 100 % unless it is all."""
    if share is None:
        return words.NOTHING
    if share == 1:
        return "100%"
    for digits in range(1, 9):
        text = f"{share * 100:.{digits}f}"
        if Decimal(text) < 100:
            return f"{text}%"
    return "<100%"


def spark(values: Sequence[Decimal], label: str) -> Markup:
    """A line as small as a word: values from 0 to 1 on a scale that begins at their lowest, so that a move is seen."""
    from markupsafe import Markup, escape

    low = min(min(values), Decimal("0.9"))
    step = _WIDTH / max(len(values) - 1, 1)

    def y(value: Decimal) -> float:
        return 3 + (_HEIGHT - 6) * float((1 - value) / (1 - low)) if low < 1 else 3

    points = [(place * step, y(value)) for place, value in enumerate(values)]
    if len(points) == 1:
        points.append((_WIDTH, points[0][1]))
    line = " ".join(f"{x:.1f},{height:.1f}" for x, height in points)
    last = points[-1]
    return Markup(
        '<svg class="spark" viewBox="-3 0 {0} {1}" width="{0}" height="{1}" role="img" aria-label="{2}">'
        '<polyline points="{3}"/><circle cx="{4:.1f}" cy="{5:.1f}" r="2.5"/></svg>'
    ).format(_WIDTH + 6, _HEIGHT, escape(label), Markup(line), *last)


def strip(states: Sequence[tuple[datetime, bool]]) -> Markup:
    """One mark a publish: full for certified, hollow for not; the newest sixty."""
    from markupsafe import Markup

    shown = states[-60:]
    marks = "".join(
        f'<rect class="{"yes" if good else "no"}" x="{place * 9 + 1}" y="3" width="6" height="14"/>'
        for place, (_, good) in enumerate(shown)
    )
    good = sum(state for _, state in shown)
    width = len(shown) * 9 + 2
    return Markup(
        f'<svg class="strip" viewBox="0 0 {width} 20" width="{width}" height="20" role="img"'
        f' aria-label="{good} / {len(shown)}">{marks}</svg>'
    )


def _buckets() -> list[str]:
    edges = ["≤ 1", *(f"{low + 1}–{high}" for low, high in pairwise(AGES))]
    return [*edges, f"> {AGES[-1]}"]


def _by_owner_and_age(breaks: Sequence[OpenBreak]) -> list[tuple[str, list[int]]]:
    """How many identities each owner has with something unexplained, by how many days it has been so."""
    found: dict[str, list[int]] = {}
    for item in breaks:
        place = sum(item.days > edge for edge in AGES)
        found.setdefault(item.owner, [0] * (len(AGES) + 1))[place] += 1
    return sorted(found.items(), key=lambda pair: (-sum(pair[1]), pair[0]))
