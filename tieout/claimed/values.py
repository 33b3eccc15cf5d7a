"""Figures and periods as people write them: 397.40万, （1,234.50）, １２３, 2025年11月, FY2025, 2025-10-26 至 2025-11-25.

What can be read in two ways is refused; what is read otherwise than it is written says so in a note.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

from tieout.claimed.errors import ClaimedFileError
from tieout.metrics.answer import Period, parse_period
from tieout.metrics.errors import UnknownName

_SCALES = {
    "亿": Decimal(10**8), "千万": Decimal(10**7), "百万": Decimal(10**6), "万": Decimal(10**4), "千": Decimal(1000),
    "k": Decimal(1000), "m": Decimal(10**6), "million": Decimal(10**6), "thousand": Decimal(1000),
}  # fmt: skip
_MONEY = re.compile(r"(rmb|cny|usd|eur|人民币|美元|欧元|元|圆|[¥$€])", re.IGNORECASE)
_SCALED = re.compile(rf"({'|'.join(_SCALES)})$", re.IGNORECASE)
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")
_EUROPEAN = re.compile(r"(\d{1,3}(\.\d{3})+|\d+),(\d{1,2}|\d{4,})")
_PLAIN = re.compile(r"\d+(\.\d+)?|\.\d+")

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_QUARTERS = {"一": 1, "二": 2, "三": 3, "四": 4}
_BETWEEN = re.compile(r"\s*(?:至|到|~|—+|–|\.\.+|\bto\b|\s-\s)\s*", re.IGNORECASE)
_DAY_RANGE = re.compile(r"(.*日)\s*-\s*(.*日)")


@dataclass(frozen=True)
class Figure:
    """A number as written: `step` is what its last digit stands for (397.40万: 100)."""

    value: Decimal
    step: Decimal
    note: str = ""


@dataclass(frozen=True)
class Span:
    """Days a figure speaks of: `start` inclusive, `end` exclusive; `text` as a period is written here."""

    start: date
    end: date
    text: str
    note: str = ""

    @property
    def calendar(self) -> bool:
        """Whether it is a day, week, month, quarter or year, so that a metric has one cell for it."""
        try:
            period = parse_period(self.text)
        except UnknownName:
            return False
        return (period.start, period.end) == (self.start, self.end)


def plain(text: str) -> str:
    """Text as words are compared: full-width forms made narrow, no blanks around, lower case."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def scale_of(text: str) -> Decimal | None:
    """What a unit multiplies by: 万元 is 10,000; None if the text is no unit of counting or of money."""
    word = _MONEY.sub("", plain(text)).strip()
    return _SCALES.get(word, Decimal(1) if word == "" else None)


def read_figure(text: str, scale: Decimal = Decimal(1)) -> Figure:
    """The number in a cell.

    Args:
        scale: Of the column it stands in (金额（万元）: 10,000); a cell that names its own says it twice and is refused.

    Raises: ClaimedFileError if it is no number, or could be two.
    """
    word = plain(text)
    negative = False
    if word.startswith("(") and word.endswith(")"):
        negative, word = True, word[1:-1]
    word = _MONEY.sub("", word).replace(" ", "").replace("\u00a0", "").replace("−", "-")
    if word.startswith("-") or word.endswith("-"):
        negative, word = not negative, word.strip("-")
    word = word.removeprefix("+")
    if word.endswith("%"):
        factor, word = Decimal("0.01"), word[:-1]
    elif match := _SCALED.search(word):
        factor, word = _SCALES[match[1].lower()], word[: match.start()]
    else:
        factor = Decimal(1)
    if factor != 1 and scale != 1:
        raise ClaimedFileError(f"{text!r} names a unit, and so does its column. Write one of them.")
    note = ""
    if _THOUSANDS.fullmatch(word):
        word = word.replace(",", "")
    elif _EUROPEAN.fullmatch(word):
        note = f"{text.strip()} was read with a decimal comma"
        word = word.replace(".", "").replace(",", ".")
    elif not _PLAIN.fullmatch(word):
        raise ClaimedFileError(
            f"{text!r} is no number. Write digits, for example 3974044.86, 397.40万 or (1,234.50)."
        )
    try:
        number = Decimal(word)
    except InvalidOperation:
        raise ClaimedFileError(f"{text!r} is no number.") from None
    places = -int(number.as_tuple().exponent)
    factor *= scale
    value = -number * factor if negative else number * factor
    return Figure(value, Decimal(1).scaleb(-places) * factor, note)


def read_span(text: str, year: int | None = None) -> Span:
    """The days a period means.

    Args:
        year: Of a month that is written without one (11月).

    Raises: ClaimedFileError if it is no period.
    """
    word = plain(text)
    # A cell with a date in Excel: a month is written as its first day.
    if match := re.fullmatch(r"(\d{4}-\d\d)-(\d\d) 00:00:00", word):
        if match[2] == "01":
            span = _of(parse_period(match[1]), match[1])
            return Span(
                span.start,
                span.end,
                span.text,
                f"日期 {match[1]}-01 读作月份 / was read as the month {match[1]}",
            )
        word = word[:10]
    one = _one(word, year)
    if one is not None:
        return one
    parts = _DAY_RANGE.fullmatch(word)
    sides = list(parts.groups()) if parts else _BETWEEN.split(word)
    if len(sides) == 2:
        first = _one(sides[0], year)
        if first is not None:
            last = _one(sides[1], first.start.year)
            if last is not None and last.end <= first.start and "年" not in sides[1]:
                last = _one(sides[1], first.start.year + 1)
            if last is not None and last.end > first.start:
                return between(first.start, last.end - timedelta(days=1))
    raise ClaimedFileError(
        f"{text!r} is no period. Write 2025-11, 2025年11月, 2025Q4, 2025, FY2025 or 2025-10-26 至 2025-11-25."
    )


def between(first: date, last: date) -> Span:
    """The days from `first` to `last`, both counted; named as a month, quarter or year if it is one."""
    if last < first:
        raise ClaimedFileError(f"the period ends on {last}, before it begins on {first}.")
    end = last + timedelta(days=1)
    names = (f"{first:%Y}", f"{first:%Y}-Q{(first.month + 2) // 3}", f"{first:%Y-%m}", f"{first}")
    for name in names:
        period = parse_period(name)
        if (period.start, period.end) == (first, end):
            return Span(first, end, name)
    whole = first.day == 1 and end.day == 1
    return Span(first, end, f"{first:%Y-%m} – {last:%Y-%m}" if whole else f"{first} – {last}")


def _of(period: Period, text: str) -> Span:
    return Span(period.start, period.end, text)


def _one(word: str, year: int | None) -> Span | None:
    """One period without a range, in its own notation."""
    name = _named(word.strip(), year)
    if name is None:
        return None
    try:
        return _of(parse_period(name), name)
    except UnknownName:
        return None


def _named(word: str, year: int | None) -> str | None:
    word = re.sub(r"\s+", " ", word)
    if match := re.fullmatch(r"(?:fy ?)?(\d{4}) ?(?:年度?|财年|fy)?", word):
        return match[1]
    if match := re.fullmatch(r"(\d{4})(?:年| |-|/|\.)?(?:q([1-4])|第?([一二三四1-4])季度?)", word):
        quarter = match[2] or match[3]
        return f"{match[1]}-Q{_QUARTERS.get(quarter) or quarter}"
    if match := re.fullmatch(r"(\d{4})(?:年|-|/|\.)(\d{1,2})月?(?:份)?", word):
        return f"{match[1]}-{int(match[2]):02}"
    if match := re.fullmatch(r"(20\d\d)(0[1-9]|1[0-2])", word):
        return f"{match[1]}-{match[2]}"
    if match := re.fullmatch(r"(\d{4})(?:年|-|/|\.)(\d{1,2})(?:月|-|/|\.)(\d{1,2})(?:日|号)?", word):
        return f"{match[1]}-{int(match[2]):02}-{int(match[3]):02}"
    if match := re.fullmatch(r"(\d{4})-?w(\d\d)", word):
        return f"{match[1]}-W{match[2]}"
    if match := re.fullmatch(r"([a-z]{3})[a-z]*\.?[ -](\d{4})", word):
        return f"{match[2]}-{_MONTHS.index(match[1]) + 1:02}" if match[1] in _MONTHS else None
    if year is not None and (match := re.fullmatch(r"(\d{1,2})月份?", word)):
        return f"{year}-{int(match[1]):02}"
    if year is not None and (match := re.fullmatch(r"(\d{1,2})月(\d{1,2})(?:日|号)", word)):
        return f"{year}-{int(match[1]):02}-{int(match[2]):02}"
    return None
