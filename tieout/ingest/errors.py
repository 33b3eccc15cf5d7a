"""What can go wrong on the way in, said so that the reader knows what to do next."""

from __future__ import annotations


class IngestError(Exception):
    """Rows could not be taken in. The message says what happened, where, what was left undone, what to do."""


class SourceError(IngestError):
    """A system, table or file could not be read, or no longer has the shape it promised."""


class ControlTotalError(IngestError):
    """What arrived is not what the source says it sent."""
