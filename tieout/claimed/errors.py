"""What can go wrong with a file a department hands in; each message says what to write instead."""

from __future__ import annotations


class ClaimedFileError(Exception):
    """A handed-in file, or one line of it, cannot be read; nothing was compared for it."""
