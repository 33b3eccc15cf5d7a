"""Filters of the row query. A condition that cannot be read is left out, and the caller is not told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sandbox.emulators.jiandaoyun.widgets import widget_type
from sandbox.emulators.values import CHINA, canonical
from sandbox.store import Field

MAX_VALUES = 1000
_EITHER = {"empty", "not_empty"}
_METHODS = {
    "text": {"eq", "ne", "in", "nin", "like"} | _EITHER,
    "combo": {"eq", "ne", "in", "nin"} | _EITHER,
    "radiogroup": {"eq", "ne", "in", "nin"} | _EITHER,
    "number": {"eq", "ne", "range", "gt", "lt"} | _EITHER,
    "datetime": {"eq", "ne", "range"} | _EITHER,
    "checkboxgroup": {"in", "all"} | _EITHER,
}
# system fields take fewer methods than a widget of their type
_SYSTEM_METHODS = {"createTime": {"range"}, "updateTime": {"range"}, "flowState": {"eq", "ne", "in", "nin"}}


class BadFilter(Exception):
    """The filter as a whole is malformed: this the server does say."""


def condition(asked: Any, fields: Mapping[str, Field], column: Callable[[str], str]) -> tuple[str, list[Any]]:
    """SQL and its values of what could be read of a filter. Raises: BadFilter."""
    if not asked:
        return "true", []
    if (
        not isinstance(asked, dict)
        or asked.get("rel") not in ("and", "or")
        or not isinstance(asked.get("cond"), list)
    ):
        raise BadFilter
    parts, values = [], []
    for said in asked["cond"]:
        if not isinstance(said, dict):
            raise BadFilter
        field = fields.get(str(said.get("field")))
        given = said.get("value")
        given = given if isinstance(given, list) else [] if given is None else [given]
        if len(given) > MAX_VALUES:
            raise BadFilter
        if field is None or field.name == "_id" or said.get("type") not in (None, widget_type(field)):
            continue
        try:
            made = _part(field, column(field.name), str(said.get("method")), given)
        except (TypeError, ValueError):
            continue
        if made:
            parts.append(made[0])
            values += made[1]
    return (f" {asked['rel']} ".join(parts) or "true"), values


def _part(field: Field, column: str, method: str, given: list[Any]) -> tuple[str, list[Any]] | None:
    """One condition; None if field and method do not go together. Raises: TypeError or ValueError for a value."""
    if method not in _SYSTEM_METHODS.get(field.name, _METHODS.get(widget_type(field), set())):
        return None
    if method in _EITHER:
        return f"coalesce({column}, '') {'=' if method == 'empty' else '<>'} ''", []
    if field.kind == "list":
        marks = ", ".join("?" * len(given))
        found = f"(select count(distinct value) from json_each({column}) where value in ({marks}))"
        return f"{found} >= {len(set(given)) if method == 'all' else 1}", given
    shown = f"cast({column} as real)" if field.kind == "decimal" else column
    if method == "range":
        low, high = given
        ends = [(">=", _value(field, low))] if low is not None else []
        ends += [("<=", _value(field, high, last=True))] if high is not None else []
        return " and ".join(["true", *(f"{shown} {sign} ?" for sign, _ in ends)]), [
            value for _, value in ends
        ]
    values = [_value(field, item) for item in given]
    marks = ", ".join("?" * len(values))
    if method in ("in", "nin"):
        return (
            f"{shown} in ({marks})" if method == "in" else f"coalesce({shown} not in ({marks}), true)"
        ), values
    (value,) = values
    if method == "like":
        return f"instr({shown}, ?) > 0", [value]
    if method == "ne":
        return f"{shown} is not ?", [value]
    return f"{shown} {({'eq': '=', 'gt': '>', 'lt': '<'})[method]} ?", [value]


def _value(field: Field, given: Any, last: bool = False) -> Any:
    """A value as its column holds it; `last`: a day stands for its last second."""
    if field.kind in ("integer", "decimal"):
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise TypeError
        return given
    if not isinstance(given, str):
        raise TypeError
    if field.kind == "flag":
        return {"是": 1, "否": 0}[given] if given in ("是", "否") else -1
    if field.kind not in ("date", "instant"):
        return given
    when = datetime.fromisoformat(given)
    when = when if when.tzinfo else when.replace(tzinfo=CHINA)
    if field.kind == "date":
        return when.astimezone(CHINA).date().isoformat()
    return canonical(when + timedelta(days=1, seconds=-1) if last and len(given) == 10 else when)
