"""Paths into answers, placeholders in requests, instants as a system writes them, and secrets kept out of texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sources.contract import Source, resolve
from sources.contract.http import Times
from sources.contract.http_auth import SECRET_NAME
from sources.contract.references import is_reference

_MARK = re.compile(r"\{([a-z_]+(?:\.[A-Za-z0-9_]+)?)\}")
_OPTION = re.compile(r"\{options\.([A-Za-z0-9_]+)\}")
_USER = {"user", "username"}  # rows say who made them: blotting the name of our account out would change data
_MISSING = object()
# A shorter value (a client number, a flag) would blot out half of every message and page.
SHORTEST_SECRET = 6


def at(document: Any, path: str | None) -> Any:
    """The value at a dotted path, None if there is none. Keys that hold dots themselves are found too."""
    found = _follow(document, path) if path is not None else None
    return None if found is _MISSING else found


def has(document: Any, path: str) -> bool:
    """Whether the path leads to something, be it null."""
    return _follow(document, path) is not _MISSING


def _follow(document: Any, path: str) -> Any:
    if path == "":
        return document
    if isinstance(document, list):
        head, _, rest = path.partition(".")
        if head.isdigit() and int(head) < len(document):
            return _follow(document[int(head)], rest)
        return _MISSING
    if not isinstance(document, dict):
        return _MISSING
    if path in document:
        return document[path]
    cut = path.find(".")
    while cut != -1:
        if path[:cut] in document:
            found = _follow(document[path[:cut]], path[cut + 1 :])
            if found is not _MISSING:
                return found
        cut = path.find(".", cut + 1)
    return _MISSING


def filled(template: Any, values: dict[str, Any]) -> Any:
    """A template with its placeholders filled in; what mentions a value that is None is left out.

    A text that is one placeholder becomes the value itself, so numbers stay numbers and lists lists; inside a
    longer text, a list is joined by commas. An object in a list (a condition among others) is left out as a whole:
    without its value it would ask for something else.
    """
    if isinstance(template, str):
        whole = _MARK.fullmatch(template)
        if whole:
            return values.get(whole[1])
        if any(values.get(name) is None for name in _MARK.findall(template)):
            return None
        return _MARK.sub(lambda match: joined(values[match[1]]), template)
    if isinstance(template, dict):
        parts = {key: filled(part, values) for key, part in template.items()}
        return {key: part for key, part in parts.items() if part is not None or template[key] is None}
    if isinstance(template, list | tuple):
        whole = [item for item in template if not (isinstance(item, dict) and _lacks(item, values))]
        return [part for item in whole if (part := filled(item, values)) is not None or item is None]
    return template


def _lacks(tree: Any, values: dict[str, Any]) -> bool:
    """Whether a value is None that the tree mentions; objects in its lists are judged on their own."""
    if isinstance(tree, str):
        return any(values.get(name) is None for name in _MARK.findall(tree))
    if isinstance(tree, dict):
        return any(_lacks(part, values) for part in tree.values())
    if isinstance(tree, list | tuple):
        return any(_lacks(item, values) for item in tree if not isinstance(item, dict))
    return False


def joined(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


class Secrets:
    """Resolved references of one source; takes what it has resolved out of every message, and secrets out of pages.

    Pages are evidence, and rows are made of them: an option that is no secret (a project's name, an app's id) stays
    there as it came. A secret is what `http.auth` uses (but for a user's name), what is named like one or kept among
    them (`secret:NAME`), and a reference that a request itself holds.
    """

    def __init__(self, source: Source) -> None:
        self._source = source.name
        self._known: dict[str, str] = {}
        self._plain = _plain(source)
        for name, reference in source.connection.options.items():
            if is_reference(reference):
                self.of(reference, f"connection.options.{name}")

    def of(self, reference: str, what: str) -> str:
        """The value a reference leads to (a literal leads to itself). Never log the result."""
        if not is_reference(reference):
            return reference
        if reference not in self._known:
            self._known[reference] = resolve(reference, f"{self._source}: {what}")
        return self._known[reference]

    def everywhere(self, tree: Any, what: str) -> Any:
        """A tree of lists, mappings and texts with its references resolved."""
        if isinstance(tree, str):
            return self.of(tree, what)
        if isinstance(tree, dict):
            return {key: self.everywhere(part, f"{what}.{key}") for key, part in tree.items()}
        if isinstance(tree, list | tuple):
            return [self.everywhere(part, what) for part in tree]
        return tree

    def learn(self, name: str, value: str) -> None:
        """Take in a token that a login gave."""
        self._known[f"login:{name}:{len(self._known)}"] = value

    def redacted(self, text: str) -> str:
        """A message without anything that a reference led to."""
        for form in self._forms(self._known):
            text = text.replace(form, "…")
        return text

    def redacted_bytes(self, body: bytes) -> bytes:
        """A page (or a link in one) without secrets."""
        for form in self._forms(self._known.keys() - self._plain):
            if (raw := form.encode()) in body:
                body = body.replace(raw, b"***")
        return body

    def _forms(self, references: Iterable[str]) -> list[str]:
        """Every value in every form, longest first."""
        values = {self._known[item] for item in tuple(references)}
        forms = {form for item in values if len(item) >= SHORTEST_SECRET for form in _written(item)}
        return sorted(forms, key=len, reverse=True)

    def __repr__(self) -> str:
        return "Secrets(…)"


@lru_cache(maxsize=1024)
def _written(value: str) -> tuple[str, ...]:
    """A value as it is, and as an address or JSON text would write it."""
    import json
    from urllib.parse import quote, quote_plus

    return value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1]


def _plain(source: Source) -> set[str]:
    """The references of a source that lead to no secret."""
    auth = source.http.auth.model_dump() if source.http and source.http.auth else {}
    said = list(_texts(auth))
    users = {text for name, text in said if name in _USER}
    signs = {text for name, text in said if name not in _USER}
    options = source.connection.options
    signs |= {options[name] for text in signs for name in _OPTION.findall(text) if name in options}
    plain = {
        reference
        for name, reference in options.items()
        if not SECRET_NAME.search(name) and not reference.startswith("secret:")
    }
    return (plain | users) - signs


def _texts(tree: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a tree of lists and mappings, with the name of its field."""
    if isinstance(tree, str):
        yield name, tree
    elif isinstance(tree, dict):
        for key, part in tree.items():
            yield from _texts(part, key)
    elif isinstance(tree, list | tuple):
        for part in tree:
            yield from _texts(part, name)


def moment(text: str, kind: str, zone: str) -> datetime | int:
    """A cursor's text as an instant: `timestamptz` is UTC, `timestamp` and `date` are wall time in `zone`.

    Numbers stay numbers.
    """
    if kind in {"bigint", "integer"}:
        return int(text)
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC if kind == "timestamptz" else ZoneInfo(zone))
    return value


def written(value: datetime | int | None, times: Times, zone: str) -> str | int | None:
    """An instant as the system writes it."""
    if value is None or isinstance(value, int):
        return value
    if times.format in {"epoch", "epoch_ms"}:
        count = int(value.timestamp() * (1000 if times.format == "epoch_ms" else 1))
        return str(count) if times.text else count
    local = value.astimezone(ZoneInfo(times.timezone or zone))
    if times.format == "iso":
        return local.replace(microsecond=0).isoformat()
    return local.strftime(times.format)
