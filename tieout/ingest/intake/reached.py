"""How far the pulls of a stream have come: what the next one goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tieout.ingest.drift import Holds
from tieout.ingest.landing import Landing, Manifest

WINDOW = "window"  # how the scope of a batch begins that was read again on request


@dataclass(frozen=True)
class Reached:
    """The newest batch that is no window and may be loaded, and where it lies.

    A held batch does not count: if it is declined, what it brought must be asked for again. `disturbed`: a window
    was read since. It may have brought what has gone again, so that a pull looks like the last one proves nothing.
    """

    batch: Manifest | None
    folder: Path | None
    disturbed: bool


def reached(landing: Landing, source: str, stream: str) -> Reached:
    """How far the pulls of one stream have come."""
    holds = Holds(landing)
    batches = [item for item in landing.batches(source, stream) if holds.may_load(item)]
    pulls = [item for item in batches if not item.scope.startswith(WINDOW)]
    if not pulls:
        return Reached(None, None, False)
    return Reached(pulls[-1], landing.folder(pulls[-1]), batches[-1] is not pulls[-1])
