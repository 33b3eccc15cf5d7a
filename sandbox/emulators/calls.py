"""One request to an emulated system, and one reply."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from json.encoder import encode_basestring
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Call:
    """One request as it arrived. `path` is decoded, `target` is the request line's own text; header names are lower case."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    target: str = ""

    @cached_property
    def json(self) -> Any:
        """The body as JSON; None if there is none. Raises: ValueError."""
        return json.loads(self.body) if self.body.strip() else None

    @cached_property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @cached_property
    def cookies(self) -> dict[str, str]:
        parts = (part.strip().partition("=") for part in self.headers.get("cookie", "").split(";"))
        return {name: value for name, _, value in parts if name}


@dataclass(frozen=True)
class Reply:
    """What is sent: a dict or list becomes JSON, text and bytes go as they are. `cut`: half the body, then the line drops."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False

    def content(self) -> tuple[bytes, str]:
        """The bytes and their content type."""
        if isinstance(self.body, bytes):
            return self.body, "application/octet-stream"
        if isinstance(self.body, str):
            return self.body.encode(), "text/plain; charset=utf-8"
        return json_text(self.body).encode(), "application/json; charset=utf-8"


class Refusal(Exception):
    """Raised anywhere below `answer`: this reply, and no further work."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def json_text(value: Any) -> str:
    """JSON as servers write it; a Decimal is a number with exactly its digits, which no float could promise."""
    return _WRITERS.get(type(value), json.dumps)(value)


def _object(value: dict[str, Any]) -> str:
    write = _WRITERS.get
    pairs = [f"{encode_basestring(key)}:{write(type(item), json.dumps)(item)}" for key, item in value.items()]
    return "{" + ",".join(pairs) + "}"


def _list(value: Sequence[Any]) -> str:
    return "[" + ",".join([_WRITERS.get(type(item), json.dumps)(item) for item in value]) + "]"


# by exact type: a page has tens of thousands of values, and asking each for its class costs more than writing it
_WRITERS: dict[type, Callable[[Any], str]] = {
    str: encode_basestring,
    int: str,
    Decimal: str,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
    dict: _object,
    list: _list,
    tuple: _list,
}
