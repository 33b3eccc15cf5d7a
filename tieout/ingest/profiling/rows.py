"""Rows taken apart: fields of objects by path, lists of objects as children."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tieout.ingest.profiling.gathered import Gathered, Steps

# What a contract calls the item a row was asked for: a field of that name cannot be promised.
_TAKEN = frozenset({"_each", "parent._each"})
_INSIDE = 6  # objects inside objects of a row; deeper ones stay JSON text
GENERIC = frozenset(
    [
        "api",
        "v1",
        "v2",
        "v3",
        "v4",
        "v5",
        "v6",
        "rest",
        "open",
        "openapi",
        "open-apis",
        "json",
        "xml",
        "list",
        "query",
        "search",
        "get",
        "find",
        "page",
        "pages",
        "all",
        "data",
        "rows",
        "items",
        "item",
        "records",
        "record",
        "result",
        "results",
        "response",
        "body",
        "value",
        "values",
        "content",
        "contents",
        "d",
        "export",
        "index",
        "detail",
        "details",
        "download",
        "payload",
        "recordset",
        "datas",
        "lists",
    ]
)


class Rows:
    """Takes rows apart. `lists`: fields that hold lists of objects somewhere; in XML a list of one is no list."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.lists: set[Steps] = set()
        self.no_rows: set[Steps] = set()

    def learn(self, rows: Iterable[Any]) -> None:
        for row in rows:
            self._learn(row, ())

    def _learn(self, node: dict[str, Any], steps: Steps) -> None:
        for key, value in node.items():
            here = (*steps, key)
            if isinstance(value, dict) and len(here) < _INSIDE:
                self._learn(value, here)
            elif isinstance(value, list) and value:
                if all(isinstance(item, dict) for item in value):
                    self.lists.add(here)
                    if len(here) < _INSIDE:
                        for item in value:
                            self._learn(item, here)
                else:
                    self.no_rows.add(here)

    def into(self, one: Gathered, row: dict[str, Any], path: Steps = (), above: int | None = None) -> None:
        flat: dict[Steps, Any] = {}
        inside: list[tuple[Steps, list[Any]]] = []
        self._flatten(row, (), path, flat, inside)
        if one.parent is not None:
            flat = {steps: value for steps, value in flat.items() if steps[0] != "parent"}
        if not one.add(flat, above):
            return
        place = one.rows - 1
        for steps, items in inside:
            child = one.children.get(steps)
            if child is None:
                label = f"{one.label}_{meaning(steps) or steps[-1]}"
                child = one.children[steps] = Gathered(label, one.origin, one.kind, steps, parent=one)
            for item in items:
                self.into(child, item, (*path, *steps), place)

    def _flatten(self, node: dict, steps: Steps, path: Steps, flat: dict, inside: list) -> None:
        for key, value in node.items():
            here = (*steps, key)
            full = (*path, *here)
            if not key or "\x1f" in key or ".".join(here) in _TAKEN:
                continue
            rows = full in self.lists and full not in self.no_rows
            if rows and isinstance(value, list | dict):
                if value:
                    inside.append((here, value if isinstance(value, list) else [value]))
            elif isinstance(value, dict) and value and len(full) < _INSIDE:
                self._flatten(value, here, path, flat, inside)
            elif isinstance(value, list | dict):
                flat[here] = _text(value)
            elif not rows or value not in (None, ""):
                flat[here] = value


def _text(value: Any) -> str:
    import orjson

    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def meaning(steps: Iterable[str]) -> str | None:
    said = [step for step in steps if step.lower() not in GENERIC and not step.startswith("{")]
    return said[-1] if said else None
