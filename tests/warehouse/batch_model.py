"""What a stream must hold after any pulls of any source: plain dictionaries that know nothing of the code.

A source is a list of rows. The model says which rows a pull can see (that is the promise of each load kind), and
what a row that was seen does: a good one is the newest version of its key, a broken one waits in quarantine
and leaves the key as it was, a key that is known to be gone is marked deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One document as the source holds it; times are UTC texts, `version` only grows."""

    company: int
    number: str | None
    quantity: int
    status: str
    created: str | None
    changed: str | None
    version: int

    @property
    def key(self) -> tuple[int, str | None]:
        return self.company, self.number

    @property
    def record_key(self) -> str:
        return f"{self.company}|{self.number or ''}"


Key = tuple[int, str | None]


@dataclass(frozen=True)
class Kind:
    """How one stream is read: the words of the contract."""

    load: str = "full"
    cursor: tuple[str, ...] = ()
    deletes: str = "none"  # none | keys | soft
    lateness: str = "0h"
    ceiling: bool = False
    twins: bool = False  # read from the table in which keys may stand twice


@dataclass
class Model:
    """One stream: `held` is what the current table must say, `versions` its history, `aside` what waits."""

    kind: Kind
    held: dict[Key, tuple[Row, bool]] = field(default_factory=dict)
    versions: list[tuple[str, Key, Row, bool]] = field(default_factory=list)
    aside: dict[str, list[tuple[str, Row]]] = field(default_factory=dict)
    mark: Any = None  # a text (an instant) or a number, like the cursor
    known: frozenset[tuple] | None = None
    changed: bool = False

    def cursor(self, row: Row):
        return next((v for name in self.kind.cursor if (v := getattr(row, name)) is not None), None)

    # --- pulls ---

    def whole(self, rows: Sequence[Row], batch: str | None) -> None:
        """Load `full`: what is not there any more was deleted, what was wrong before is judged anew."""
        before, versions = self.aside, len(self.versions)
        self.aside = {}
        self._tell(rows, batch)
        self._gone({row.key for row in rows}, batch)
        self.changed = before != self.aside or len(self.versions) > versions

    def increment(
        self,
        rows: Sequence[Row],
        low: str | int | None,
        ceiling: int | None,
        batch: str | None,
        *,
        beginning: bool,
    ) -> list[Row]:
        """What the cursor, and the scan of keys, let a pull see; returns it."""
        self.changed = False
        seen = [row for row in rows if self._in_sight(row, low, ceiling)]
        scanned = frozenset((row.key, *(getattr(row, name) for name in self.kind.cursor)) for row in rows)
        if self.kind.deletes == "keys" and not beginning and self.known is not None:
            new = {item[0] for item in scanned - self.known}
            seen += [row for row in rows if row.key in new and row not in seen]
        self._tell(seen, batch)
        if self.kind.deletes == "keys":
            self.known = scanned
            self._gone({row.key for row in rows}, batch)
            there = {row.record_key for row in rows}
            for record_key in set(self.aside) - there:
                del self.aside[record_key]
                self.changed = True
        return seen

    def window(self, rows: Sequence[Row], batch: str | None) -> None:
        """These rows were read again; nothing is said of others."""
        self.changed = False
        self._tell(rows, batch)

    def _in_sight(self, row: Row, low: str | int | None, ceiling: int | None) -> bool:
        value = self.cursor(row)
        if value is None:
            return True
        return (low is None or value >= low) and (ceiling is None or value <= ceiling)

    # --- what a row does ---

    def _tell(self, rows: Sequence[Row], batch: str | None) -> None:
        aside: dict[str, list[tuple[str, Row]]] = {}
        good: dict[Key, list[Row]] = {}
        for row in rows:
            if rule := self._fault(row):
                aside.setdefault(row.record_key, []).append((rule, row))
            else:
                good.setdefault(row.key, []).append(row)
        for key, same in good.items():
            if len(set(same)) > 1:
                aside.setdefault(same[0].record_key, []).extend(("key", row) for row in same)
                continue
            aside.setdefault(same[0].record_key, []).extend(("duplicate", row) for row in same[1:])
            now = (same[0], self.kind.deletes == "soft" and same[0].status == "gone")
            if self.held.get(key) != now:
                self._version(batch, key, *now)
        for row in rows:
            found = sorted(aside.get(row.record_key, []), key=str)
            if self.aside.get(row.record_key, []) != found:
                self.changed = True
            self.aside.pop(row.record_key, None)
            if found:
                self.aside[row.record_key] = found

    def _fault(self, row: Row) -> str | None:
        if row.number is None:
            return "required"
        if row.quantity < 0:
            return "min"
        if self.kind.load == "append" and row.key in self.held and self.held[row.key][0] != row:
            return "append_only"
        return None

    def _gone(self, there: set[Key], batch: str | None) -> None:
        for key, (row, deleted) in list(self.held.items()):
            if key not in there and not deleted:
                self._version(batch, key, row, True)

    def _version(self, batch: str | None, key: Key, row: Row, deleted: bool) -> None:
        self.changed = True
        self.held[key] = (row, deleted)
        self.versions.append((batch or "", key, row, deleted))

    def advance(self, seen: Sequence[Row], now: datetime) -> None:
        """The mark follows the highest cursor that landed, but never overtakes the clock."""
        limit = f"{now:%Y-%m-%d %H:%M:%S}"
        for row in seen:
            value = self.cursor(row)
            if isinstance(value, str):
                value = min(value, limit)
            if value is not None and (self.mark is None or value > self.mark):
                self.mark = value
