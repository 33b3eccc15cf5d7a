"""What one pull is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tieout.ingest.errors import IngestError
from tieout.ingest.landing import Manifest


@dataclass(frozen=True)
class Window:
    """A half-open part [start, end) of a stream's cursor, or of its column `on`; values as SQL text."""

    start: str
    end: str
    on: str | None = None

    def __str__(self) -> str:
        return f"{self.on or 'cursor'} [{self.start}, {self.end})"


@dataclass(frozen=True)
class Ask:
    """One pull: at `now` (aware, UTC), of all streams or some, of what is new or of one window, or of everything.

    `full` reads streams with a cursor from the beginning; `window` reads one part again (a backfill).
    """

    now: datetime
    streams: frozenset[str] | None = None
    window: Window | None = None
    full: bool = False

    def wants(self, stream: str) -> bool:
        return self.streams is None or stream in self.streams


@dataclass(frozen=True)
class Extracted:
    """The outcome for one stream of one source: `landed` new batches, `rows` read in this pull."""

    source: str
    stream: str
    rows: int = 0
    landed: tuple[Manifest, ...] = ()
    error: IngestError | None = None
    notes: tuple[str, ...] = ()


Report = Callable[[Extracted], None]
