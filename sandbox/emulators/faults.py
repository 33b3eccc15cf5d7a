"""What an emulated system can be made to do wrong, and the counting of calls and pages it takes.

Each fault is off by default and is a plain value, so that a JSON file can switch it: `{"truncate_page": 2}`.
"""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict


class Faults(BaseModel):
    """The switches. The n-th call or page is counted from 1, from the moment these faults were set; logins do not count."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    tables: list[str] = []
    """Tables that the faults of pages and fields are limited to; empty: all."""
    truncate_page: int = 0
    """The n-th page of data loses its last third and says nothing."""
    repeat_page: int = 0
    """The n-th page of data is sent again instead of the next one of its table, once."""
    error_at: int = 0
    """The n-th call is answered 500, once."""
    error_always: bool = False
    cut_body_at: int = 0
    """The n-th answer stops in the middle of its body, while Content-Length says more; once."""
    slow: float = 0.0
    """Seconds that every call takes longer."""
    throttle_every: int = 0
    """Every n-th call gets the vendor's own rate error."""
    expire_session_after: int = 0
    """Sessions and tokens die once, after n uses."""
    expire_session_every: int = 0
    """Sessions and tokens die after every n uses."""
    drift: dict[str, str] = {}
    """Old field → new field, in rows, in metadata and in what requests may name."""
    add_field: str = ""
    """A key nobody has seen before, in every row."""
    clock_skew: float = 0.0
    """Seconds the server's clock is ahead."""
    late_rows: dict[str, list[str]] = {}
    """Table → values of its first key column whose rows do not show yet; switched off, they come with their old times."""
    revoked: list[str] = []
    """Tables whose right is taken away."""
    quota: int | None = None
    """Calls left; after them the vendor's own quota error."""

    def reach(self, table: str) -> bool:
        """Do the faults of pages and fields concern this table?"""
        return not self.tables or table in self.tables


def read_faults(path: Path) -> Faults:
    """Faults as a file says; none if there is no file. Raises: ValueError (pydantic's) for an unknown or ill-typed one."""
    try:
        return Faults.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Faults()


class Tally:
    """Counts of calls, pages and uses since the faults were set, and the page that may be sent again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._again: dict[str, list[dict[str, Any]]] = {}

    def next(self, what: str) -> int:
        with self._lock:
            self._counts[what] += 1
            return self._counts[what]

    def keep(self, table: str, rows: list[dict[str, Any]]) -> None:
        with self._lock:
            self._again[table] = rows

    def kept(self, table: str) -> list[dict[str, Any]] | None:
        """The page kept of a table; asked once."""
        with self._lock:
            return self._again.pop(table, None)
