"""Failures that are answers, not bugs: shown as one message."""

from __future__ import annotations


class CommandError(Exception):
    """A command cannot do what was asked; the message says what to do next."""


def _expected() -> tuple[type[BaseException], ...]:
    from sources.contract import ContractError
    from tieout.ingest.errors import IngestError
    from tieout.refresh import Busy

    return (CommandError, ContractError, IngestError, Busy)


EXPECTED = _expected()
