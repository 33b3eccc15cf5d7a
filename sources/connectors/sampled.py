"""For systems that describe nothing of themselves: fields proposed from rows, and rows that lie inside other rows."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from sources.connectors.connector import FieldMeta

_INSTANT = re.compile(r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}[ T]\d{1,2}:\d\d(:\d\d(\.\d+)?)?$")
_ZONED = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$")
_DAY = re.compile(r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}$")
_AMOUNT = re.compile(r"^-?\d+\.\d+$")
_PERSONAL = re.compile(
    r"(mobile|phone|receiver|buyer|address|email|idcard|手机|电话|地址|姓名|身份证|邮箱|收件)", re.I
)


def sampled_fields(
    rows: Iterable[Mapping[str, Any]],
    titles: Mapping[str, str],
    leave_out: Container[str] = (),
    known: Mapping[str, str] | None = None,
) -> tuple[FieldMeta, ...]:
    """Fields that are known (name → type), then others of these rows, as they come; their types are guesses and say so."""
    known = known or {}
    values: dict[str, list[Any]] = {name: [] for name in known}
    for row in rows:
        for name, value in row.items():
            if name not in leave_out:
                values.setdefault(name, []).append(value)
    return tuple(_field(name, seen, titles.get(name, name), known.get(name)) for name, seen in values.items())


def _field(name: str, seen: list[Any], title: str, known: str | None) -> FieldMeta:
    kind, doubt = (known, None) if known else type_of(seen)
    return FieldMeta(
        _identifier(name),
        name,
        title,
        type(next((item for item in seen if item is not None), None)).__name__,
        kind,
        personal=_PERSONAL.search(name + title) is not None,
        doubt=doubt,
    )


def type_of(seen: Iterable[Any]) -> tuple[str, str | None]:
    """The type that holds all these values, and what is uncertain about it."""
    values = [item for item in seen if item is not None and item != ""]
    if not values:
        return "text", "no value was seen"
    guess = f"from {len(values)} values"
    if all(isinstance(item, bool) for item in values):
        return "boolean", guess
    if all(isinstance(item, int) and not isinstance(item, bool) for item in values):
        return "bigint", guess
    if all(isinstance(item, int | float | Decimal) and not isinstance(item, bool) for item in values):
        return "decimal(18, 4)", guess
    texts = [item for item in values if isinstance(item, str)]
    if len(texts) < len(values):
        return "text", "lists or objects, as JSON" if any(
            isinstance(v, list | dict) for v in values
        ) else guess
    for pattern, kind in ((_ZONED, "timestamptz"), (_INSTANT, "timestamp"), (_DAY, "date")):
        if all(pattern.match(item) for item in texts):
            return kind, guess
    if all(_is_number(item) for item in texts) and any(_AMOUNT.match(item) for item in texts):
        return "decimal(18, 4)", guess
    return "text", guess


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _identifier(name: str) -> str:
    """An ASCII id of a technical name, as contracts want it."""
    plain = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")
    return plain if plain[:1].isalpha() else f"f_{plain}"


def rows_inside(name: str, parent: str, field: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """What a stream needs whose rows lie in `field` of the rows of another stream of this source.

    Raises: ValueError if no stream reads the object `parent`.
    """
    streams = document.get("streams") or {}
    above = next(
        (key for key, item in streams.items() if isinstance(item, Mapping) and item.get("object") == parent),
        None,
    )
    if above is None:
        raise ValueError(
            f"streams.{name}: its rows lie in those of {parent}, which no stream reads; add one with `object: {parent}`"
        )
    return {"from": field, "request": {"parent": above, "records": field}}
