"""A stream's shape changes at the source: found, explained, and never a column nulled without a word.

A door goes: `last = baseline(…)`, `stream = grown(stream, declared, last)`, read `reading(…)`, then `judge(…)`.
"""

from tieout.ingest.drift.changes import Change, Evidence, changes
from tieout.ingest.drift.evolved import comment_columns, effective, effective_sources, grown
from tieout.ingest.drift.held import Holds, baseline, open_holds
from tieout.ingest.drift.judge import DriftError, Verdict, judge, reading

__all__ = [
    "Change",
    "DriftError",
    "Evidence",
    "Holds",
    "Verdict",
    "baseline",
    "changes",
    "comment_columns",
    "effective",
    "effective_sources",
    "grown",
    "judge",
    "open_holds",
    "reading",
]
