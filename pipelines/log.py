"""Progress of a step, written to the log of its Dagster run."""

from __future__ import annotations

from logging import Logger


class StepLog:
    """`tieout.progress.Progress` on a logger: one line a step, warnings as warnings."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._step = ""

    def start(self, step: str, total: int | None = None) -> None:
        self._step = step

    def advance(self, text: str = "") -> None: ...

    def end(self, summary: str, *, ok: bool = True) -> None:
        (self._log.info if ok else self._log.error)(f"{self._step}: {summary}")

    def warn(self, text: str) -> None:
        self._log.warning(text)
