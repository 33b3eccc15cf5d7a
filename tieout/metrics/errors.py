"""What can go wrong when somebody asks for a number; each message says what to ask instead."""

from __future__ import annotations

from collections.abc import Iterable


class MetricError(Exception):
    """A metric could not be defined, compiled or answered."""


class DefinitionError(MetricError):
    """A definition breaks a rule; nothing was compiled."""


class UnknownName(MetricError):
    """No metric, grain or dimension of that name. Never answered with zero rows."""


class UnlawfulSum(MetricError):
    """The question would add different currencies or units."""


class TraceMismatch(MetricError):
    """The contributing rows do not add up to the cell."""


def unknown(kind: str, name: str, known: Iterable[str], *, of: str = "") -> UnknownName:
    """An error that names the nearest known names, then all of them if they are few."""
    from difflib import get_close_matches

    names = sorted(known)
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    listed = f" Known: {', '.join(names)}." if len(names) <= 40 or not near else ""
    return UnknownName(f"unknown {kind} {name!r}{of and f' for {of}'}. Nothing was computed.{hint}{listed}")
