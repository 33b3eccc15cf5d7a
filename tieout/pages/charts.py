"""Charts as inline SVG: pure functions from figures to markup.

Positions along x are percentages and sizes along y are pixels, so a chart fills any width while its text keeps
its size: no script, and as readable on a phone as on a wall. Colours and hatching come from the page's CSS.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from tieout.pages.words import figure, short

if TYPE_CHECKING:
    from markupsafe import Markup

# Grouped bars.
_HEIGHT, _TOP, _BOTTOM = 320, 26, 28
_LEFT = 8.0  # % kept for the axis
# One row of a waterfall.
_ROW, _BAR = 44, 20
# Below this share of the larger end, all differences together are drawn on a cut axis.
_CUT_BELOW = 0.25


# How a step is drawn; `even` moves amounts between groups and adds nothing in all.
Kind = Literal["end", "up", "down", "even", "unexplained"]


@dataclass(frozen=True)
class Group:
    """The bars above one word of the axis; None draws no bar."""

    label: str
    values: tuple[Decimal | None, ...]


@dataclass(frozen=True)
class Bars:
    svg: Markup
    says_wan: bool  # figures above the bars are in ten thousands


@dataclass(frozen=True)
class WaterfallRow:
    """One step and its bar; `kind` says how it is drawn."""

    kind: Kind
    label_zh: str
    label_en: str
    amount: Decimal
    bar: Markup


@dataclass(frozen=True)
class Waterfall:
    rows: tuple[WaterfallRow, ...]
    is_cut: bool  # the axis does not begin at zero


def grouped_bars(groups: Sequence[Group], series: Sequence[str], unit: str) -> Bars:
    """Bars side by side by group; series are told apart by colour and by hatching (classes `s1`, `s2`, ...).

    Args:
        series: What each place of `values` is called; shown on hovering.
    """
    from markupsafe import Markup, escape

    values = [float(value) for group in groups for value in group.values if value is not None]
    ticks = _ticks(min([0.0, *values]), max([0.0, *values]))
    low, high = ticks[0], ticks[-1]
    plot = _HEIGHT - _TOP - _BOTTOM

    def y(value: float) -> float:
        return _TOP + plot * (high - value) / (high - low)

    parts = []
    for tick in ticks:
        words = short(tick)
        parts.append(
            f'<line class="{"base" if tick == 0 else "grid"}" x1="0" x2="100%" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
            f'<text class="tick" x="0" y="{y(tick) - 5:.1f}">{words.zh}'
            f'<tspan class="en wide"> {words.en if words.en != words.zh else ""}</tspan></text>'
        )
    slot = (100 - _LEFT) / max(1, len(groups))
    width = slot * 0.78 / max(1, len(series))
    labelled = len(groups) * len(series) <= 18
    in_wan = high >= 1e5
    for place, group in enumerate(groups):
        start = _LEFT + slot * place + slot * 0.11
        for number, (value, name) in enumerate(zip(group.values, series, strict=True)):
            if value is None:
                continue
            x, top, bottom = (
                start + width * number,
                y(max(0.0, float(value))),
                y(min(0.0, float(value))),
            )
            parts.append(
                f'<rect class="s{number + 1}" x="{x + width * 0.06:.3f}%" width="{width * 0.88:.3f}%" y="{top:.1f}" '
                f'height="{max(1.0, bottom - top):.1f}"><title>{escape(group.label)} · {escape(name)}: '
                f"{figure(value, unit)} {escape(unit)}</title></rect>"
            )
            if labelled:
                words = f"{float(value) / 1e4:,.1f}" if in_wan else f"{float(value):,.4g}"
                parts.append(
                    f'<text class="value wide" x="{x + width / 2:.3f}%" y="{top - 5:.1f}">{words}</text>'
                )
        parts.append(
            f'<text class="month" x="{_LEFT + slot * (place + 0.5):.3f}%" y="{_HEIGHT - 8}">{escape(group.label)}</text>'
        )
    svg = f'<svg class="bars" width="100%" height="{_HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>'
    return Bars(Markup(svg), labelled and in_wan)


def waterfall(steps: Sequence[tuple[str, str, str, Decimal]]) -> Waterfall:
    """The way from the first figure to the last, one row a step; rows are drawn so that they join.

    Args:
        steps: (name, zh, en, amount): first and last are the two figures, `unexplained` what no cause accounts for.
    """
    from markupsafe import Markup

    levels = [float(steps[0][3])]
    for step in steps[1:-1]:
        levels.append(levels[-1] + float(step[3]))
    levels.append(float(steps[-1][3]))
    low, high, is_cut = _domain(levels)

    def x(value: float) -> float:
        return 100 * (value - low) / (high - low)

    rows = []
    for place, (name, zh, en, amount) in enumerate(steps):
        is_end = place in {0, len(steps) - 1}
        before = levels[place] if is_end else levels[place - 1]
        after = levels[place]
        kind: Kind
        if is_end:
            kind, first, last = "end", x(max(low, 0.0) if is_cut else 0.0), x(after)
        else:
            kind = "unexplained" if name == "unexplained" else _direction(amount)
            first, last = x(before), x(after)
        first, last = sorted((first, last))
        middle, pad = _ROW / 2, (_ROW - _BAR) / 2
        parts = []
        if not is_cut:
            parts.append(f'<line class="axis" x1="{x(0.0):.3f}%" x2="{x(0.0):.3f}%" y1="0" y2="{_ROW}"/>')
        if place > 0:
            parts.append(
                f'<line class="join" x1="{x(before):.3f}%" x2="{x(before):.3f}%" y1="0" y2="{pad}"/>'
            )
        if place < len(steps) - 1:
            parts.append(
                f'<line class="join" x1="{x(after):.3f}%" x2="{x(after):.3f}%" y1="{_ROW - pad}" y2="{_ROW}"/>'
            )
        parts.append(
            f'<rect class="{kind}" x="{first:.3f}%" width="{last - first:.3f}%" y="{pad}" height="{_BAR}"/>'
            # a small amount beside a large one still leaves a mark
            f'<line class="edge {kind}" x1="{x(after):.3f}%" x2="{x(after):.3f}%" y1="{pad}" y2="{_ROW - pad}"/>'
        )
        if is_cut and is_end:
            parts.append(
                f'<line class="cut" x1="3%" x2="4%" y1="{middle + 13}" y2="{middle - 13}"/>'
                f'<line class="cut" x1="4%" x2="5%" y1="{middle + 13}" y2="{middle - 13}"/>'
            )
        bar = f'<svg class="fall" width="100%" height="{_ROW}" aria-hidden="true">{"".join(parts)}</svg>'
        rows.append(WaterfallRow(kind, zh, en, amount, Markup(bar)))
    return Waterfall(tuple(rows), is_cut)


def _direction(amount: Decimal) -> Kind:
    return "up" if amount > 0 else "down" if amount < 0 else "even"


def _domain(levels: Sequence[float]) -> tuple[float, float, bool]:
    """Where the axis begins and ends, and whether it leaves zero out to make small steps visible."""
    low, high = min(levels), max(levels)
    span, size = high - low, max(abs(low), abs(high))
    if low > 0 and 0 < span < _CUT_BELOW * size:
        return low - 0.5 * span, high + 0.06 * span, True
    low, high = min(0.0, low), max(0.0, high)
    margin = 0.02 * (high - low) or 1.0
    return low - (margin if low < 0 else 0.0), high + margin, False


def _ticks(low: float, high: float) -> list[float]:
    """Round figures from at most `low` to at least `high`, zero among them, about five."""
    span = (high - low) or 1.0
    rough = span / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * n for n in range(first, max(last, first + 1) + 1)]
