"""What was read of one kind of row: its values column by column, and where they were found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

# Rows of one object that are looked at, and bytes of one file: a profile proposes, it does not prove.
SAMPLE = 20_000
LARGEST = 32 * 1024 * 1024
MOST_FIELDS = 1_000

Steps = tuple[str, ...]
Door = Literal["http", "files"]


@dataclass(frozen=True)
class Guess:
    """Something a person should confirm: `confidence` is 0 to 1, `reason` what speaks for it."""

    what: str
    confidence: float
    reason: str


@dataclass(frozen=True)
class Call:
    """One kind of request as a browser recorded it. What may be a secret is not in here, only its name.

    `params` and `body` hold what was the same in every recording; `left_out` names what is not kept and why.
    """

    method: Literal["get", "post"]
    host: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    form: dict[str, Any] | None = None
    headers: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()
    places: tuple[str, ...] = ()

    @property
    def asked(self) -> dict[str, Any]:
        """Parameters, wherever they are sent."""
        return {**self.params, **(self.body or {}), **(self.form or {})}


class Gathered:
    """The sample of one object. `columns` are aligned: one value a row, None where it is missing."""

    def __init__(
        self,
        label: str,
        origin: str,
        kind: str,
        records: Steps = (),
        *,
        parent: Gathered | None = None,
        call: Call | None = None,
        form: dict[str, Any] | None = None,
    ) -> None:
        self.label, self.origin, self.kind, self.records = label, origin, kind, records
        self.parent, self.call, self.form = parent, call, form or {}
        self.rows = 0
        self.seen = 0  # rows there were, also those beyond the sample
        self.whole = True  # whether every row of every file was there to be seen
        self.columns: dict[Steps, list[Any]] = {}
        self.present: Counter[Steps] = Counter()
        self.declared: dict[Steps, str] = {}  # contract types that the file itself declares
        self.above: list[int] = []  # of a child: the parent's row of each row
        self.children: dict[Steps, Gathered] = {}
        self.envelope: dict[Steps, list[Any]] = {}
        self.notes: dict[str, None] = {}
        self.files: dict[str, None] = {}

    def add(self, row: dict[Steps, Any], above: int | None = None) -> bool:
        """Take in one row; False if the sample is full."""
        self.seen += 1
        if self.rows >= SAMPLE:
            self.whole = False
            return False
        for steps, value in row.items():
            values = self.columns.get(steps)
            if values is None:
                if len(self.columns) >= MOST_FIELDS:
                    self.notes[f"more than {MOST_FIELDS:,} different fields: keys may be data here"] = None
                    continue
                values = self.columns[steps] = []
            values.extend([None] * (self.rows - len(values)))
            values.append(value)
        self.present.update(row.keys())
        if above is not None:
            self.above.append(above)
        self.rows += 1
        return True

    def close(self) -> None:
        """Make all columns as long as there are rows, and drop what is one thing here and another there."""
        for values in self.columns.values():
            values.extend([None] * (self.rows - len(values)))
        shapes: dict[Steps, list[Steps]] = {}
        for steps in self.columns:
            for end in range(1, len(steps)):
                shapes.setdefault(steps[:end], []).append(steps)
        for steps in [item for item in self.columns if item in shapes]:
            # PHP writes an empty object as [], others as "": only a real value stands against its fields.
            if any(value not in (None, "", "[]", "{}") for value in self.columns[steps]):
                for inner in shapes[steps]:
                    self.columns.pop(inner, None)
                self.notes[f"{'.'.join(steps)} is an object in some rows and a value in others: as text"] = (
                    None
                )
            else:
                del self.columns[steps]
        taken: dict[str, Steps] = {}
        for steps in list(self.columns):
            if taken.setdefault(".".join(steps), steps) != steps:
                del self.columns[steps]
                self.notes[f"two fields are called {'.'.join(steps)}: one is left out"] = None
        for child in self.children.values():
            child.close()

    @property
    def door(self) -> Door:
        return "http" if self.kind in {"json", "xml"} else "files"

    def values(self, steps: Steps) -> list[Any]:
        """A column; `parent.…` of a child is the parent's column, repeated."""
        if self.parent is not None and steps[0] == "parent" and steps not in self.columns:
            column = self.parent.columns[steps[1:]]
            return [column[place] for place in self.above]
        return self.columns[steps]
