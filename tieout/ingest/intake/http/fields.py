"""The fields rows have, and where in a row a column of the contract is.

A field is known by its steps (an object's field inside an object's field …), joined by SEPARATOR since names
may hold dots themselves. In a contract and in a manifest it is written with dots. The rows that a child
stream is made of are one step more: ITEMS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sources.contract import Stream

SEPARATOR, ITEMS = "\x1f", "[]"
PARENT = "parent."
# A field's type when rows differ: the later one here.
_WIDER = ["null", "boolean", "integer", "number", "string", "array", "object"]
_KINDS = {
    type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object",
}  # fmt: skip

Steps = tuple[str, ...]


@dataclass(frozen=True)
class Reach:
    """What the streams of one request look for: so deep the fields of their rows are listed.

    `paths` are dotted names of the parent's rows, `below` (per child's field) those of the rows inside.
    """

    paths: frozenset[str]
    below: dict[str, frozenset[str]]


def reach(own: Stream | None, children: dict[str, Stream]) -> Reach:
    """The reach of one request: of its own stream, if wanted, and of the streams inside its rows."""
    paths = set() if own is None else {name for column in own.columns for name in own.source_names(column)}
    below: dict[str, frozenset[str]] = {}
    for child in children.values():
        assert child.request is not None
        names = {name for column in child.columns for name in child.source_names(column)}
        paths |= {name.removeprefix(PARENT) for name in names if name.startswith(PARENT)}
        # Rows inside may lie deeper (`to_Item.results`): the way there is looked into as well.
        paths.add(child.request.records)
        inside = frozenset(name for name in names if not name.startswith(PARENT))
        paths |= {
            f"{child.request.records}.{ITEMS}.{name}" for name in inside
        }  # objects inside those rows too
        below[child.request.records] = below.get(child.request.records, frozenset()) | inside
    return Reach(frozenset(paths), below)


class Fields:
    """Notes every field that rows have, with its JSON type; fields of an object that is looked into, one by one.

    Rows of a shape seen before are not looked at value by value again, except where objects or rows are
    inside: every name is found, a type is that of the first value that is not null.
    """

    def __init__(self, look: Reach) -> None:
        self.look = look
        self._shapes: dict[Steps, set[Steps]] = {}
        self._null: dict[Steps, set[str]] = {}
        # Fields that something below is asked for; every page asks again, so they are found out once.
        self._deep = {
            ".".join(steps[:length])
            for steps in (path.split(".") for path in look.paths)
            for length in range(1, len(steps))
        }

    def new(self, rows: list[Any], above: Steps = ()) -> dict[str, str]:
        """The fields that these rows show for the first time (or for the first time with a value)."""
        known = self._shapes.setdefault(above, set())
        null = self._null.setdefault(above, set())
        shapes = set(map(tuple, rows))
        fresh = shapes - known
        known |= fresh
        fresh_names = {name for shape in fresh for name in shape}
        found: dict[str, str] = {}
        for name in dict.fromkeys(name for shape in sorted(shapes, key=len, reverse=True) for name in shape):
            steps = (*above, name)
            dotted = ".".join(steps)
            deep = dotted in self._deep
            inside = dotted in self.look.below
            if not (deep or inside or name in null or name in fresh_names):
                continue
            alone = len(shapes) == 1
            values = [row[name] for row in rows] if alone else [row[name] for row in rows if name in row]
            found |= self._field(steps, values, deep, inside, null)
        return found

    def _field(
        self, steps: Steps, values: list[Any], deep: bool, inside: bool, null: set[str]
    ) -> dict[str, str]:
        kinds = set(map(type, values))
        found: dict[str, str] = {}
        objects = [value for value in values if type(value) is dict] if deep and dict in kinds else []
        if objects:
            found = self.new(objects, steps)
        if not objects or ".".join(steps) in self.look.paths:
            kind = max((_KINDS.get(item, "string") for item in kinds), key=_WIDER.index)
            (null.add if kind == "null" else null.discard)(steps[-1])
            found[SEPARATOR.join(steps)] = kind
        if inside:
            children = [
                item for value in values if type(value) is list for item in value if type(item) is dict
            ]
            found |= self.new(children, (*steps, ITEMS))
        return found


def merged(one: dict[str, str], other: dict[str, str]) -> dict[str, str]:
    """The fields of both, each with the wider of its types."""
    return one | {name: max(one.get(name, "null"), kind, key=_WIDER.index) for name, kind in other.items()}


class Known:
    """The fields that the rows of one stream turned out to have."""

    def __init__(self, types: dict[str, str], inside: str | None) -> None:
        every = {tuple(name.split(SEPARATOR)): kind for name, kind in types.items()}
        self.inside: Steps = ()
        if inside is None:
            self.own = {steps: kind for steps, kind in every.items() if ITEMS not in steps}
            self.above: dict[Steps, str] = {}
            return
        self.above = {steps: kind for steps, kind in every.items() if ITEMS not in steps}
        self.own = {}
        for steps, kind in every.items():
            if ITEMS in steps and ".".join(steps[: steps.index(ITEMS)]) == inside:
                self.inside = steps[: steps.index(ITEMS)]
                self.own[steps[len(self.inside) + 1 :]] = kind
        if not self.inside:
            self.inside = next((steps for steps in self.above if ".".join(steps) == inside), ())

    def find(self, name: str) -> tuple[bool, Steps, Steps] | None:
        """Where a column is: above the row or in it, the steps to it, and steps below those inside its JSON."""
        above = name.startswith(PARENT) and bool(self.inside or self.above)
        fields, rest = (self.above, name.removeprefix(PARENT)) if above else (self.own, name)
        whole = [steps for steps in fields if ".".join(steps) == rest]
        if whole:
            return above, min(whole, key=len), ()
        part = [steps for steps in fields if rest.startswith(".".join(steps) + ".")]
        if not part:
            return None
        steps = max(part, key=lambda item: len(".".join(item)))
        below = tuple(rest[len(".".join(steps)) + 1 :].split("."))
        # A field that is no list and was not looked into has no such field inside.
        return (
            (above, steps, below)
            if fields[steps] in {"array", "object", "string"} and below[0].isdigit()
            else None
        )

    def kind(self, name: str) -> str:
        """The JSON type of a column that is there; inside a list it is not known, and text serves."""
        found = self.find(name)
        if found is None:
            return "null"
        above, steps, below = found
        return "string" if below else _told((self.above if above else self.own)[steps])

    @property
    def declared(self) -> dict[str, str]:
        """Every field of the stream's rows, as a contract would name it, with its JSON type."""
        return {".".join(steps): _told(kind) for steps, kind in self.own.items()}


def _told(kind: str) -> str:
    """JSON has one type of number: whether one day's amounts happen to be whole says nothing of the next."""
    return "number" if kind == "integer" else kind
