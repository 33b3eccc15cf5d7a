"""Other ways to read one metric: each is one change of one aspect, computed over actual rows.

Aspects are independent, so changes of different aspects combine: gross amounts by ship date without one company.
`bits` say how much must be assumed to pick the change among its kind; the fewer, the more plausible.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import log2
from typing import TYPE_CHECKING

from tieout.claimed.rows import Coded, Rows
from tieout.pages.words import Both

if TYPE_CHECKING:
    import numpy as np

ASPECTS = ("amounts", "holds", "flags", "time", "scope")
# A department closes its books a few days early or late; beyond that it is another calendar.
CUT_OFF_DAYS = 10
# Days after the end of a period on which a report may have been drawn.
_DRAWN_AFTER = range(16)
# A dimension with more members than this: only the largest are tried one by one.
MOST_MEMBERS = 120
# Months that end on the 25th, the 20th, the 15th are common; others are possible.
_USUAL_FIRST_DAYS = frozenset({26, 21, 16})


@dataclass(frozen=True, eq=False)
class Change:
    """One aspect read otherwise: `array` is the rows that count, or for `amounts` what each row counts."""

    aspect: str
    cause: str
    title: Both
    bits: float
    array: np.ndarray


def all_changes(
    rows: Rows, start: date, end: date, filters: Mapping[str, str], titles: Mapping[str, str]
) -> dict[str, list[Change]]:
    """Every change of every aspect, those that change nothing or repeat another left out.

    Args:
        titles: Dimension → its label.
    """
    within = rows.within(start if rows.kind == "rows" else None, rows.until(start, end))
    found: dict[str, list[Change]] = {aspect: [] for aspect in ASPECTS}
    for change in (
        *_amounts(rows),
        *_holds(rows),
        *_flags(rows, rows.counted & within & rows.of(filters)),
        *_time(rows, start, end, within),
        *_scope(rows, rows.counted & within, filters, titles),
    ):
        found[change.aspect].append(change)
    return {aspect: _distinct(changes) for aspect, changes in found.items()}


def _distinct(changes: list[Change]) -> list[Change]:
    """One change for each set of rows, the likeliest; a code and a name of the same thing leave out the same rows."""
    best: dict[bytes, Change] = {}
    for change in sorted(changes, key=lambda item: item.bits):
        best.setdefault(change.array.tobytes(), change)
    return list(best.values())


def _amounts(rows: Rows) -> Iterator[Change]:
    for one in rows.measured:
        bits = {"tax": 1.5, "returns": 3.0, "currency": 2.0, "unit": 2.0, "rounding": 3.0}.get(one.cause, 5.0)
        yield Change("amounts", one.cause, one.title, bits, one.amounts)


def _holds(rows: Rows) -> Iterator[Change]:
    import numpy as np

    for place, (name, title, _) in enumerate(rows.holds):
        others = np.ones(rows.count, bool)
        for other, (_, _, mask) in enumerate(rows.holds):
            if other != place:
                others &= mask
        said = Both(
            f"不论是否「{title.zh.removeprefix('是否')}」也计入", f"rows counted without the condition {name}"
        )
        yield Change("holds", "status", said, 2.0 + log2(len(rows.holds)), others)


def _flags(rows: Rows, counted: np.ndarray) -> Iterator[Change]:
    """Rows left out by what they are: returns, goods, drafts, kinds of documents."""
    negative = rows.amounts < 0
    if negative[counted].any():
        yield Change(
            "flags", "returns", Both("退货（负数行）未减", "returns (negative rows) left out"), 1.5, ~negative
        )
    spread = log2(2 * len(rows.flags) + 2)
    for name, (title, mask) in rows.flags.items():
        for value, left in ((True, ~mask), (False, mask)):
            if (~left & counted).any() and (left & counted).any():
                word = "是" if value else "否"
                said = Both(
                    f"未计 {title.zh}＝{word} 的行", f"rows with {name} = {str(value).lower()} left out"
                )
                yield Change("flags", _cause_of(name), said, 2.0 + spread, left)
    for name, (title, texts) in rows.kinds.items():
        for code in sorted(set(texts.codes[counted])):
            value, left = texts.names[code], texts.codes != code
            if (left & counted).any():
                said = Both(
                    f"未计 {title.zh} 为 {value or '空'} 的行",
                    f"rows with {name} = {value or 'nothing'} left out",
                )
                yield Change("flags", _cause_of(f"{name} {value}"), said, 3.0 + spread, left)


def _cause_of(name: str) -> str:
    if "return" in name or "refund" in name:
        return "returns"
    if "currency" in name:
        return "currency"
    states = (
        "draft",
        "cancel",
        "open",
        "posted",
        "booked",
        "status",
        "done",
        "closed",
        "reconciled",
        "invoice_method",
    )
    return "status" if any(word in name for word in states) else "scope"


# --- time -----------------------------------------------------------------------------------------


def _time(rows: Rows, start: date, end: date, within: np.ndarray) -> Iterator[Change]:
    running = rows.kind != "rows"

    def change(first: date, last: date, zh: str, en: str, bits: float) -> Change:
        mask = rows.within(None if running else first, last)
        return Change("time", "timing", Both(zh, en), bits, mask)

    others = [
        name for name in rows.days if name and not rows.titles[name].en.lower().startswith("day planned")
    ]
    for name in rows.days:
        if name:
            title = rows.titles[name]
            mask = rows.within(None if running else start, end, name)
            said = Both(f"按{title.zh}归期", f"by {name} instead ({title.en})")
            yield Change("time", "timing", said, 2.0 + log2(len(rows.days)), mask)
    for days in range(1, CUT_OFF_DAYS + 1):
        step = timedelta(days=days)
        bits = 3.0 + log2(4 * days)  # closed one day early is likelier than ten
        some = "day" if days == 1 else f"{days} days"
        yield change(start, end - step, f"最后 {days} 天未计", f"the last {some} left out", bits)
        yield change(
            start, end + step, f"含下期前 {days} 天", f"the first {some} of the next period included", bits
        )
        if not running:
            yield change(start + step, end, f"最初 {days} 天未计", f"the first {some} left out", bits)
            yield change(
                start - step,
                end,
                f"含上期末 {days} 天",
                f"the last {some} of the period before included",
                bits,
            )
    yield from _calendars(change, start, end, running)
    for name in others:
        spread = log2(len(others) * len(_DRAWN_AFTER))
        for days in _DRAWN_AFTER:
            day = end + timedelta(days=days)
            mask = within & rows.within(None, day, name)
            if mask.sum() < within.sum():
                title = rows.titles[name]
                said = Both(
                    f"只含{title.zh}在 {day} 之前的行",
                    f"only rows whose {name} is before {day}: drawn before the close",
                )
                yield Change("time", "timing", said, 4.0 + spread, mask)


def _calendars(change, start: date, end: date, running: bool) -> Iterator[Change]:
    """Other months: from the 26th to the 25th and the like, the month before or after, the year to date."""
    if start.day != 1 or end.day != 1:
        return
    for day in range(2, 29):
        first, last = _on(_months(start, -1), day), _on(_months(end, -1), day)
        bits = (2.0 if day in _USUAL_FIRST_DAYS else 4.0) + log2(
            len(_USUAL_FIRST_DAYS) if day in _USUAL_FIRST_DAYS else 50
        )
        zh = f"本部门的月从 {day} 日到次月 {day - 1} 日（{first} 至 {last - timedelta(days=1)}）"
        en = f"months from the {_nth(day)} to the {_nth(day - 1)} ({first} – {last - timedelta(days=1)})"
        yield change(first, last, zh, en, bits)
        first, last = _on(start, day), _on(end, day)
        zh = f"从 {day} 日起算（{first} 至 {last - timedelta(days=1)}）"
        yield change(
            first, last, zh, f"months from the {_nth(day)} ({first} – {last - timedelta(days=1)})", bits + 1
        )
    if running:
        return
    length = (end.year - start.year) * 12 + end.month - start.month
    for step, zh, en in ((-length, "上一期", "the period before"), (length, "下一期", "the next period")):
        first, last = _months(start, step), _months(end, step)
        said = f"{first} – {last - timedelta(days=1)}"
        yield change(first, last, f"{zh}的数（{said}）", f"the figure of {en} ({said})", 4.0)
    if (start.month, start.day) != (1, 1):
        yield change(date(start.year, 1, 1), end, "年初至今累计", "the year to date", 3.0)
    if length > 1:
        for month in range(length):
            first = _months(start, month)
            yield change(
                first, _months(first, 1), f"只有 {first:%Y-%m}", f"only {first:%Y-%m}", 3.0 + log2(length)
            )
            yield change(
                start,
                first,
                f"只到 {first:%Y-%m} 之前",
                f"only the months before {first:%Y-%m}",
                3.0 + log2(length),
            )


def _months(day: date, step: int) -> date:
    number = day.year * 12 + day.month - 1 + step
    year, month = divmod(number, 12)
    return day.replace(year=year, month=month + 1, day=min(day.day, calendar.monthrange(year, month + 1)[1]))


def _on(month: date, day: int) -> date:
    return month.replace(day=day)


def _nth(day: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th") if day // 10 != 1 else "th"
    return f"{day}{ending}"


# --- scope ----------------------------------------------------------------------------------------


def _scope(
    rows: Rows, counted: np.ndarray, filters: Mapping[str, str], titles: Mapping[str, str]
) -> Iterator[Change]:
    import numpy as np

    default = rows.of(filters)
    for dimension, texts in rows.members.items():
        label = titles.get(dimension, dimension)
        if dimension in filters:
            yield from _filtered(rows, counted, filters, dimension, label)
            continue
        members = _largest(rows, texts, counted & default)
        if len(members) < 2:
            continue
        bits = 2.5 + log2(len(members)) + log2(len(rows.members)) / 2
        for member, mask in members.items():
            if member:
                said = Both(f"未含{label} {member}", f"{dimension} {member} left out")
                yield Change("scope", "scope", said, bits, default & ~mask)
                said = Both(f"只含{label} {member}", f"only {dimension} {member}")
                yield Change("scope", "scope", said, bits + 1, default & mask)
    if filters:
        everything = np.ones(rows.count, bool)
        if len(filters) > 1:
            yield Change("scope", "scope", Both("未按任何条件筛选", "no filter at all"), 2.0, everything)


def nothing(rows: Rows) -> Change:
    """No row counts: a figure of zero where there is something."""
    import numpy as np

    said = Both("没有计入任何行", "no row counted at all")
    return Change("scope", "scope", said, 2.0, np.zeros(rows.count, bool))


def _filtered(
    rows: Rows, counted: np.ndarray, filters: Mapping[str, str], dimension: str, label: str
) -> Iterator[Change]:
    """The filter left out, or set to another member, or with another member beside it."""
    others = rows.of({name: member for name, member in filters.items() if name != dimension})
    mine = filters[dimension]
    said = Both(f"未按{label}筛选（含全部）", f"not limited to {dimension} {mine}")
    yield Change("scope", "scope", said, 2.0, others)
    members = _largest(rows, rows.members[dimension], counted & others)
    bits = 3.0 + log2(len(members) + 1)
    own = rows.members[dimension].rows_of(mine)
    for member, mask in members.items():
        if member not in ("", mine):
            instead = Both(f"{label}是 {member} 而非 {mine}", f"{dimension} {member} instead of {mine}")
            beside = Both(f"{label}多含了 {member}", f"{dimension} {member} included beside {mine}")
            yield Change("scope", "scope", instead, bits, others & mask)
            yield Change("scope", "scope", beside, bits, others & (mask | own))


def _largest(rows: Rows, texts: Coded, counted: np.ndarray) -> dict[str, np.ndarray]:
    """The rows of each member that counts, those with the largest amounts first."""
    import numpy as np

    sizes = np.zeros(len(texts.names), np.int64)
    np.add.at(sizes, texts.codes[counted], np.abs(rows.amounts[counted]))
    present = np.unique(texts.codes[counted])
    order = present[np.argsort(-sizes[present], kind="stable")][:MOST_MEMBERS]
    return {texts.names[place]: texts.codes == place for place in order}
