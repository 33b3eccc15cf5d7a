"""The type of a field's values: what the loader would cast, or why it stays text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tieout.ingest.drafting.catalogue import Field, Seen
from tieout.ingest.drafting.judge import column_type
from tieout.ingest.profiling import meanings
from tieout.ingest.profiling.gathered import Gathered, Steps

NEARLY = 0.8  # of the values: a type most values fit is worth a remark, though the draft says text

# `(?a)`: digits of other scripts are no digits to the loader.
_Y, _M, _D = r"(?:19|20)\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_T = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?"
_ZONE = r"(?:Z|[+-]\d\d:?\d\d)"
# Formats as the loader casts them; the first that all values fit is the type.
_LOADED = {
    "date": re.compile(rf"(?a){_Y}([-/]){_M}\1{_D}"),
    "timestamp": re.compile(rf"(?a){_Y}([-/]){_M}\1{_D}(?:[T ]{_T})?"),
    "timestamptz": re.compile(rf"(?a){_Y}-{_M}-{_D}[T ]\d\d:\d\d:\d\d(?:\.\d{{1,9}})?{_ZONE}"),
    "time": re.compile(_T),
}
_MINUTES = re.compile(rf"(?a){_Y}-{_M}-{_D}[T ]\d\d:\d\d{_ZONE}")
_LOCAL = {
    "%Y年%m月%d日": re.compile(rf"(?a){_Y}年{_M}月{_D}日"),
    "%Y年%m月%d日 %H:%M": re.compile(rf"(?a){_Y}年{_M}月{_D}日\s*{_T}"),
    "%Y%m%d": re.compile(rf"(?a){_Y}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"),
    "%Y%m%d%H%M%S": re.compile(
        rf"(?a){_Y}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d"
    ),
    "%Y.%m.%d": re.compile(rf"(?a){_Y}\.{_M}\.{_D}"),
    "%d.%m.%Y": re.compile(rf"(?a){_D}\.{_M}\.{_Y}"),
    "%d/%m/%Y": re.compile(rf"(?a){_D}/{_M}/{_Y}"),
    "%m/%d/%Y": re.compile(rf"(?a){_M}/{_D}/{_Y}"),
    "%d-%b-%y": re.compile(rf"(?a){_D}-[A-Za-z]{{3}}-(?:{_Y}|\d\d)"),
    "%Y-%m (a month)": re.compile(rf"(?a){_Y}[-/]?(?:0[1-9]|1[0-2])"),
}
_WHOLE = re.compile(r"(?a)[+-]?\d{1,18}")
_NUMBER = re.compile(r"(?a)[+-]?(?:\d{1,30}(?:\.\d{0,18})?|\.\d{1,18})(?:[eE][+-]?\d{1,2})?")
_GROUPED = re.compile(r"(?a)[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_FLAG = re.compile(r"(?a)true|false", re.IGNORECASE)
_FLAG_NAME = re.compile(r"(?a)^(is|has|can|was)(_|[A-Z])|^是否|^F?Is[A-Z]|(flag|enabled|deleted|disabled)$")
_LEADING_ZERO = re.compile(r"(?a)0\d")
_SLASH_DATE = re.compile(r"(?a)/Date\(-?\d{1,16}(?:[+-]\d{4})?\)/")
# From 2000 to 2040; a plain number outside is none of our times.
_EPOCH = {"s": (946_684_800, 2_208_988_800), "ms": (946_684_800_000, 2_208_988_800_000)}


@dataclass(frozen=True)
class Kind:
    type: str
    best: str
    fits: float
    remark: str | None = None
    confidence: float = 0.9
    numbers: str | None = None
    minutes: bool = False


def text_of(value: Any) -> str | None:
    """A value as the landing would write it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def share_of(counts: Counter[str], fits: Callable[[str], object]) -> float:
    """Of the values, how many fit; 1.0 only if every one does."""
    total = sum(counts.values())
    good = sum(times for text, times in counts.items() if fits(text))
    return 1.0 if good == total else min(good / total, 0.999)


def kind_of(one: Gathered, steps: Steps, counts: Counter[str], natives: set[type], *, show: bool) -> Kind:
    name = ".".join(steps)
    if not counts:
        return Kind(one.declared.get(steps, "text"), "nothing", 1.0, "it holds nothing yet", 0.3)
    if steps in one.declared:
        return Kind(one.declared[steps], one.declared[steps], 1.0)
    if any(text[:1] in "[{" and text[-1:] in "]}" for text in counts) and share_of(counts, _is_json) == 1.0:
        return Kind("text", "JSON", 1.0, "lists or objects, kept as JSON text", 0.9)
    if share_of(counts, _FLAG.fullmatch) == 1.0:
        return Kind("boolean", "boolean", 1.0)
    if counts.keys() <= {"0", "1"} and _FLAG_NAME.search(steps[-1]):
        return Kind("boolean", "boolean", 1.0, "0 and 1 only, named like a yes or no", 0.8)
    if (moment := _moment(one, name, counts)) is not None:
        return moment
    numeric = natives <= {int, float}
    if numeric or share_of(counts, _NUMBER.fullmatch) == 1.0:
        return _number(one, name, counts, numeric=numeric)
    return _text(counts, show=show)


def _is_json(text: str) -> bool:
    return text[:1] in "[{" and text[-1:] in "]}"


def _moment(one: Gathered, name: str, counts: Counter[str]) -> Kind | None:
    """A date or time, if every value is one."""
    some = next(iter(counts))
    if not some[:1].isdigit() and not some.startswith("/Date("):
        return None
    http = one.door == "http"
    if share_of(counts, _SLASH_DATE.fullmatch) == 1.0:
        return Kind(
            "timestamptz" if http else "text", "timestamptz", 1.0, "/Date(…)/: milliseconds since 1970", 0.95,
            numbers="ms" if http else None,
        )  # fmt: skip
    for kind, pattern in _LOADED.items():
        if share_of(counts, pattern.fullmatch) == 1.0:
            if kind == "timestamp" and one.kind == "xlsx" and all(t.endswith(" 00:00:00") for t in counts):
                return Kind("date", "date", 1.0)
            remark = "no zone is said: the source's is taken" if kind == "timestamp" else None
            return Kind(kind, kind, 1.0, remark)
    if share_of(counts, _MINUTES.fullmatch) == 1.0:
        kind = "timestamptz" if http else "text"
        return Kind(kind, "timestamptz", 1.0, "instants without seconds", 0.95, minutes=http)
    for unit, (low, high) in _EPOCH.items():
        share = share_of(
            counts,
            lambda t, low=low, high=high: (
                t.isascii() and t.isdigit() and (low <= int(t[:18]) < high or t == "0")
            ),
        )
        none = " (0 stands for no time: it becomes 1970)" if "0" in counts else ""
        if share < 1.0 or counts.keys() <= {"0"}:
            continue
        what = "seconds" if unit == "s" else "milliseconds"
        if meanings.is_time(name):
            if not http:
                return Kind("bigint", f"epoch {what}", 1.0, f"{what} since 1970{none}: a number in a file")
            return Kind("timestamptz", f"epoch {what}", 1.0, f"{what} since 1970{none}", 0.95, numbers=unit)
        if unit == "ms" and not meanings.is_code(name) and not meanings.is_amount(name):
            return Kind("bigint", f"epoch {what}", 1.0, f"perhaps {what} since 1970{none}", 0.5)
    if meanings.is_time(name) or not some.isdigit():
        for form, pattern in _LOCAL.items():
            if share_of(counts, pattern.fullmatch) == 1.0:
                more = ""
                if form == "%d/%m/%Y" and share_of(counts, _LOCAL["%m/%d/%Y"].fullmatch) == 1.0:
                    form, more = "%d/%m/%Y or %m/%d/%Y", ": no day beyond 12 tells which"
                return Kind(
                    "text", "local date", 1.0, f"written as {form}{more}; text until staging reads it"
                )
    return None


def _number(one: Gathered, name: str, counts: Counter[str], *, numeric: bool) -> Kind:
    whole = share_of(counts, _WHOLE.fullmatch) == 1.0
    if not numeric:
        zeros = any(_LEADING_ZERO.match(text) for text in counts)
        long = any(len(text) > 15 and text.isdigit() for text in counts)
        if zeros or long or (meanings.is_code(name) and not meanings.is_amount(name)):
            reason = "leading zeros" if zeros else "too long for a number" if long else "named like a code"
            return Kind("text", "text", 1.0, f"digits, but {reason}", 0.9)
        if whole and one.door == "http" and not meanings.is_measure(name):
            return Kind("text", "bigint", 1.0, "digits sent as text: perhaps a number", 0.5)
    measured = meanings.is_measure(name) and not meanings.is_code(name)
    in_fen = whole and meanings.is_amount(name) and fen(name, counts)[0] >= 0.7
    if whole and (not measured or in_fen):
        return Kind("bigint", "bigint", 1.0)
    scale, digits = _size(counts)
    kind, why = column_type(
        "postgres", Field(name, "numeric", True), Seen(sum(counts.values()), scale, digits)
    )
    said = (why or "").removeprefix("numeric: ")
    return Kind(kind, kind, 1.0, "whole so far, but a measure: " + said if whole else said, 0.8)


def _size(counts: Iterable[str]) -> tuple[int, int]:
    """Most decimals and most whole digits."""
    from decimal import Decimal

    scale = digits = 0
    for text in counts:
        value = Decimal(text)
        exponent = value.as_tuple().exponent
        scale = max(scale, -exponent if isinstance(exponent, int) else 0)
        digits = max(digits, value.adjusted() + 1, 1)
    return scale, digits


def _text(counts: Counter[str], *, show: bool) -> Kind:
    unit = share_of(counts, meanings.unit_in)
    if unit >= NEARLY:
        return Kind(
            "text", "number with unit", unit, "numbers with a unit behind them; text until staging splits it"
        )
    money = share_of(counts, meanings.currency_in)
    if money >= NEARLY:
        return Kind(
            "text",
            "number with currency",
            money,
            "amounts with a currency sign; text until staging splits it",
        )
    grouped = share_of(counts, lambda t: _GROUPED.fullmatch(t) or _NUMBER.fullmatch(t))
    if grouped == 1.0:
        return Kind(
            "text", "number with thousands", 1.0, "thousands separators; text until staging takes them out"
        )
    candidates: dict[str, Callable[[str], object]] = {
        "date": _LOADED["date"].fullmatch,
        "timestamp": _LOADED["timestamp"].fullmatch,
        "timestamptz": _LOADED["timestamptz"].fullmatch,
        "bigint": _WHOLE.fullmatch,
        "number": lambda t: _GROUPED.fullmatch(t) or _NUMBER.fullmatch(t),
    }
    for best, fits in candidates.items():
        share = share_of(counts, fits)
        if share >= NEARLY:
            other = next(text for text in counts if not fits(text))
            example = f" such as {other[:20]!r}" if show else ""
            return Kind(
                "text", best, round(share, 3), f"{1 - share:.1%} of the values are no {best}{example}"
            )
    return Kind("text", "text", 1.0)


_PAID_IN_FEN = re.compile(
    r"(total|refund|cash|settlement|coupon|payer)_?(fee|total)$|(fen|cents?)$|分\)?）?$", re.I
)


def fen(name: str, counts: Counter[str]) -> tuple[float, str]:
    """How likely an amount is in hundredths, and why."""
    if any("." in text for text in counts):
        return 0.0, ""
    if _PAID_IN_FEN.search(name):
        return 0.85, "whole numbers, and named as payment systems name amounts in fen"
    large = [abs(int(text)) for text in counts if _WHOLE.fullmatch(text)]
    if len(large) >= 10 and min(large) >= 100 and sum(value % 10 == 0 for value in large) >= 0.6 * len(large):
        return 0.4, "whole numbers of 100 and more, most ending in 0"
    return 0.0, ""
