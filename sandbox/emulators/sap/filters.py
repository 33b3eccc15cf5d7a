"""`$filter` and `$orderby` of OData, as far as SAP's gateway is asked here: comparisons, `and`, `or`, parentheses.

A literal must be of the field's type, written as the version writes it: V2 says `datetime'…'` for a day and
`datetimeoffset'…'` for an instant, V4 writes both bare.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sandbox.emulators.values import canonical
from sandbox.store import Field

_TOKEN = re.compile(
    r"\s*(?:(?P<offset>datetimeoffset'[^']*')|(?P<local>datetime'[^']*')|(?P<text>'(?:[^']|'')*')"
    r"|(?P<instant>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d))|(?P<day>\d{4}-\d\d-\d\d)"
    r"|(?P<number>-?\d+(?:\.\d+)?)[MLdf]?|(?P<bracket>[()])|(?P<word>[A-Za-z_][\w/]*))"
)
_OPERATORS = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
# What a literal may be, by kind of field: in V2 and in V4.
_LITERALS = {
    "date": ("local", "day"),
    "instant": ("offset", "instant"),
    "decimal": ("number", "number"),
    "integer": ("number", "number"),
    "flag": ("word", "word"),
}


class FilterError(Exception):
    """The text is not of this language, or a literal not of its field's type."""


def condition(
    text: str, v4: bool, find: Callable[[str], Field], column: Callable[[str], str]
) -> tuple[str, list[Any]]:
    """SQL and its values. Raises: KeyError with the name of an unknown property, FilterError."""
    if not text.strip():
        return "true", []
    reader = _Reader(_tokens(text), v4, find, column)
    sql = reader.expression()
    if reader.tokens:
        raise FilterError(f"Invalid token '{reader.tokens[0][1]}'")
    return sql, reader.values


def ordering(text: str, find: Callable[[str], Field], column: Callable[[str], str]) -> str:
    """SQL of an `$orderby`. Raises: KeyError, FilterError."""
    parts = []
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, way = part.partition(" ")
        if way.strip() not in ("", "asc", "desc"):
            raise FilterError(f"Invalid token '{way.strip()}'")
        field = find(name)
        of = column(name)
        parts.append(f"{f'cast({of} as real)' if field.kind == 'decimal' else of} {way.strip()}")
    return ", ".join(parts)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise FilterError(f"Invalid token '{text[at:].strip()[:20]}' at position {at}")
        tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
        at = found.end()
    return tokens


class _Reader:
    def __init__(
        self,
        tokens: list[tuple[str, str]],
        v4: bool,
        find: Callable[[str], Field],
        column: Callable[[str], str],
    ) -> None:
        self.tokens, self.v4, self.find, self.column = tokens, v4, find, column
        self.values: list[Any] = []

    def expression(self) -> str:
        return self._joined("or", lambda: self._joined("and", self._term))

    def _joined(self, word: str, part: Callable[[], str]) -> str:
        parts = [part()]
        while self.tokens and self.tokens[0] == ("word", word):
            self._take()
            parts.append(part())
        return f"({f' {word} '.join(parts)})"

    def _term(self) -> str:
        kind, name = self._take()
        if (kind, name) == ("bracket", "("):
            inner = self.expression()
            if self._take() != ("bracket", ")"):
                raise FilterError("Missing ')'")
            return inner
        if kind != "word":
            raise FilterError(f"Invalid token '{name}'")
        field = self.find(name)
        operator = self._take()[1]
        if operator not in _OPERATORS:
            raise FilterError(f"Invalid token '{operator}'")
        kind, literal = self._take()
        column = self.column(name)
        if (kind, literal) == ("word", "null") and operator in ("eq", "ne"):
            return f"{column} is {'not ' if operator == 'ne' else ''}null"
        if kind != _LITERALS.get(field.kind, ("text", "text"))[self.v4]:
            raise FilterError(f"The types of '{name}' and {literal} are not compatible with '{operator}'")
        self.values.append(_value(field, literal))
        return f"{_comparable(field, column)} {_OPERATORS[operator]} ?"

    def _take(self) -> tuple[str, str]:
        if not self.tokens:
            raise FilterError("The expression ends too early")
        return self.tokens.pop(0)


def _comparable(field: Field, column: str) -> str:
    """A column as it can be compared with `_value`: numbers as numbers, days as the first moment of the day."""
    if field.kind == "decimal":
        return f"cast({column} as real)"
    if field.kind == "date":
        return f"{column} || 'T00:00:00'"
    return f"coalesce({column}, '')" if field.kind in ("text", "choice", "list") else column


def _value(field: Field, literal: str) -> Any:
    inner = literal.partition("'")[2].removesuffix("'") if "'" in literal else literal
    try:
        if field.kind == "instant":
            return canonical(datetime.fromisoformat(inner))
        if field.kind == "date":
            return datetime.fromisoformat(inner).isoformat("T", "seconds")
        if field.kind == "decimal":
            return float(inner)
        if field.kind in ("integer", "flag"):
            return {"true": 1, "false": 0}[inner] if field.kind == "flag" else int(inner)
    except (ValueError, KeyError) as error:
        raise FilterError(f"Invalid value {literal} for '{field.name}'") from error
    return inner.replace("''", "'")
