"""The GraphQL that callers write here: one query with variables, fields with arguments, no fragments."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r"[\s,]*(?:#[^\n]*\n[\s,]*)*(?:(?P<text>\"(?:[^\"\\]|\\.)*\")|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<variable>\$\w+)|(?P<mark>[{}()\[\]:!=]))"
)


class Malformed(Exception):
    """The text is no query."""


@dataclass
class Node:
    """A field with what is asked below it."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    below: list[Node] = field(default_factory=list)

    def child(self, name: str) -> Node | None:
        return next((item for item in self.below if item.name == name), None)


def parsed(text: str, variables: dict[str, Any]) -> list[Node]:
    """The root fields. Raises: Malformed."""
    tokens, at = [], 0
    while text[at:].strip(" \t\r\n,"):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Malformed(f"syntax error, unexpected {text[at:].strip()[:10]!r}")
        tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
        at = found.end()
    reader = _Reader(tokens, variables)
    if reader.next_is("name", "query"):
        reader.take()
        if reader.tokens and reader.tokens[0][0] == "name":
            reader.take()
        if reader.next_is("mark", "("):
            while not reader.next_is("mark", ")"):
                reader.take()
            reader.take()
    nodes = reader.selection()
    if reader.tokens:
        raise Malformed(f"syntax error, unexpected {reader.tokens[0][1]!r}")
    return nodes


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]], variables: dict[str, Any]) -> None:
        self.tokens, self.variables = tokens, variables

    def next_is(self, kind: str, text: str) -> bool:
        return bool(self.tokens) and self.tokens[0] == (kind, text)

    def take(self, *wanted: str) -> str:
        if not self.tokens:
            raise Malformed("syntax error, unexpected end of file")
        kind, text = self.tokens.pop(0)
        if wanted and text not in wanted and kind not in wanted:
            raise Malformed(f"syntax error, unexpected {text!r}")
        return text

    def selection(self) -> list[Node]:
        self.take("{")
        nodes = []
        while not self.next_is("mark", "}"):
            node = Node(self.take("name"))
            if self.next_is("mark", "("):
                self.take()
                while not self.next_is("mark", ")"):
                    name = self.take("name")
                    self.take(":")
                    node.arguments[name] = self._value()
                self.take()
            if self.next_is("mark", "{"):
                node.below = self.selection()
            nodes.append(node)
        self.take()
        return nodes

    def _value(self) -> Any:
        text = self.take("text", "number", "name", "variable")
        if text.startswith("$"):
            return self.variables.get(text[1:])
        if text.startswith('"') or text[0].isdigit() or text[0] == "-":
            return json.loads(text)
        return {"null": None, "true": True, "false": False}.get(text, text)
