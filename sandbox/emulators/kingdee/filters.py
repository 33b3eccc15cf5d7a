"""FilterString: the little SQL that 金蝶 lets callers write, read with a parser of its own and never passed on as it is.

expression := conjunction {"or" conjunction}        conjunction := term {"and" term}
term := "(" expression ")" | field (= | <> | != | < | <= | > | >=) literal
      | field ["not"] "in" "(" literal {"," literal} ")" | field ["not"] "like" literal | field "is" ["not"] "null"
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sandbox.emulators.values import CHINA, canonical
from sandbox.store import Field

_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(-?\d+(?:\.\d+)?)|(<=|>=|<>|!=|[=<>(),])|([^\W\d][\w.]*))")
_COMPARISONS = {"=", "<>", "!=", "<", "<=", ">", ">="}


class FilterError(Exception):
    """The text is not of this language, or a value is not of its field's type."""


def condition(text: str, find: Callable[[str], Field], column: Callable[[str], str]) -> tuple[str, list[Any]]:
    """SQL and its values. Raises: KeyError with the name of an unknown field, FilterError."""
    if not text.strip():
        return "true", []
    reader = _Reader(_tokens(text), find, column)
    sql = reader.expression()
    if reader.tokens:
        raise FilterError(f"“{reader.tokens[0]}”附近有语法错误。")
    return sql, reader.values


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise FilterError(f"“{text[at:].strip()[:20]}”附近有语法错误。")
        tokens.append(found.group().strip() if found.group(1) is None else found.group(1))
        at = found.end()
    return tokens


class _Reader:
    def __init__(self, tokens: list[str], find: Callable[[str], Field], column: Callable[[str], str]) -> None:
        self.tokens, self.find, self.column = tokens, find, column
        self.values: list[Any] = []

    def expression(self) -> str:
        return self._joined("or", lambda: self._joined("and", self._term))

    def _joined(self, word: str, part: Callable[[], str]) -> str:
        parts = [part()]
        while self._is(word):
            self._take()
            parts.append(part())
        return f"({f' {word} '.join(parts)})"

    def _term(self) -> str:
        if self._is("("):
            self._take()
            inner = self.expression()
            self._expect(")")
            return inner
        name = self._take()
        if not (name[0].isalpha() or name[0] == "_"):
            raise FilterError(f"“{name}”附近有语法错误。")
        try:
            field = self.find(name)
        except KeyError as error:
            raise KeyError(name) from error
        column = _comparable(field, self.column(field.name))
        operator = self._take().lower()
        if operator == "is":
            wanted = "is not" if self._is("not") else "is"
            if wanted == "is not":
                self._take()
            self._expect("null")
            return f"{self.column(field.name)} {wanted} null"
        negated = operator == "not"
        if negated:
            operator = self._take().lower()
        if operator == "in":
            return f"{column} {'not ' if negated else ''}in ({', '.join(self._list(field))})"
        if operator == "like":
            return f"{column} {'not ' if negated else ''}like {self._literal(field, plain=True)}"
        if operator not in _COMPARISONS or negated:
            raise FilterError(f"“{operator}”附近有语法错误。")
        return f"{column} {operator} {self._literal(field)}"

    def _list(self, field: Field) -> list[str]:
        self._expect("(")
        marks = [self._literal(field)]
        while self._is(","):
            self._take()
            marks.append(self._literal(field))
        self._expect(")")
        return marks

    def _literal(self, field: Field, plain: bool = False) -> str:
        """Take a value; gives its mark."""
        token = self._take()
        if token.startswith("'"):
            text = token[1:-1].replace("''", "'")
        elif token[0].isdigit() or token[0] == "-":
            text = token
        else:
            raise FilterError(f"“{token}”附近有语法错误。")
        self.values.append(text if plain else _value(field, text))
        return "?"

    def _is(self, word: str) -> bool:
        return bool(self.tokens) and self.tokens[0].lower() == word

    def _take(self) -> str:
        if not self.tokens:
            raise FilterError("语句不完整。")
        return self.tokens.pop(0)

    def _expect(self, word: str) -> None:
        if self._take().lower() != word:
            raise FilterError(f"“{word}”附近有语法错误。")


def _comparable(field: Field, column: str) -> str:
    """A column as it can be compared with `_value`: numbers as numbers, days as the first moment of the day."""
    if field.kind == "decimal":
        return f"cast({column} as real)"
    if field.kind == "date":
        return f"{column} || 'T00:00:00'"
    # this system keeps a blank where others keep nothing
    return f"rtrim(coalesce({column}, ''))" if field.kind in ("text", "choice", "list") else column


def _value(field: Field, text: str) -> Any:
    try:
        if field.kind == "decimal":
            return float(text)
        if field.kind in ("integer", "flag"):
            return int({"true": "1", "false": "0"}.get(text.lower(), text))
        if field.kind in ("date", "instant"):
            when = datetime.fromisoformat(text.strip())
            return (
                when.isoformat("T", "seconds")
                if field.kind == "date"
                else canonical(when.replace(tzinfo=CHINA))
            )
    except ValueError as error:
        raise FilterError(f"将“{text}”转换为字段“{field.name}”的类型时失败。") from error
    return text.rstrip()
