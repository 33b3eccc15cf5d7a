"""Walks of dbt's graph, for everybody who asks what a table is made of or what is made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def reached(starts: Iterable[str], neighbours: Callable[[str], Iterable[str]]) -> set[str]:
    """The starts and everything that is reached from them, each asked for its neighbours once."""
    found = set(starts)
    waiting = list(found)
    while waiting:
        for key in neighbours(waiting.pop()):
            if key not in found:
                found.add(key)
                waiting.append(key)
    return found
