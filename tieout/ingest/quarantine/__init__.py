"""Rows that were set aside: which they are, how much they amount to, and what a person decides about them.

`ops.quarantine` holds every row ever set aside. A decision is a file in the landing; the loader honours it, so the
same row sent again is decided as before, and a warehouse rebuilt from landing comes out the same.
"""

from tieout.ingest.quarantine.amounts import Amount, brief, disclosed, quarantined_amounts, words
from tieout.ingest.quarantine.decide import Outcome, drop, release, undo
from tieout.ingest.quarantine.planned import Planned, QuarantineError, planned_release
from tieout.ingest.quarantine.rows import Count, Filter, Row, by_id, counts, found, held_version, history

__all__ = [
    "Amount",
    "Count",
    "Filter",
    "Outcome",
    "Planned",
    "QuarantineError",
    "Row",
    "brief",
    "by_id",
    "counts",
    "disclosed",
    "drop",
    "found",
    "held_version",
    "history",
    "planned_release",
    "quarantined_amounts",
    "release",
    "undo",
    "words",
]
