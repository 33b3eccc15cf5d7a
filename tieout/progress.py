"""How long work tells the person (or the scheduler) watching it where it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Steps of a run; every step is started once and ended once."""

    def start(self, step: str, total: int | None = None) -> None:
        """A step begins; `total` units of work are expected, if known."""

    def advance(self, text: str = "") -> None:
        """One unit is done; `text` says which."""

    def end(self, summary: str, *, ok: bool = True) -> None:
        """The step is over, with its counts."""

    def warn(self, text: str) -> None:
        """Something a person should read, that does not end the run by itself."""


class Silent:
    """Says nothing: for tests and for callers that log by themselves."""

    def start(self, step: str, total: int | None = None) -> None: ...

    def advance(self, text: str = "") -> None: ...

    def end(self, summary: str, *, ok: bool = True) -> None: ...

    def warn(self, text: str) -> None: ...
