"""What loading one batch did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Loaded:
    """What one batch did; ``rows_in == loaded + unchanged + quarantined``, deletions come on top."""

    source: str
    stream: str
    batch_id: str
    rows_in: int
    loaded: int
    unchanged: int
    quarantined: int
    deleted: int
