"""Failures that are answers, not bugs: shown as one message."""

from __future__ import annotations


class CommandError(Exception):
    """A command cannot do what was asked; the message says what to do next."""


def expected() -> tuple[type[BaseException], ...]:
    """Errors whose message is written for the person at the keyboard. Imported only when something failed."""
    from expectations.suite import SuiteError
    from sources.contract import ContractError
    from tieout.claimed.errors import ClaimedFileError
    from tieout.doors.access import AccessError
    from tieout.doors.publish import PublishError
    from tieout.doors.server import PostgresServerError
    from tieout.doors.warehouse import UnpublishableError
    from tieout.ingest.errors import IngestError
    from tieout.master_data.types import MasterDataError
    from tieout.metrics.errors import MetricError
    from tieout.privacy.classes import UnclassifiedError
    from tieout.refresh import Busy
    from tieout.standards.dictionary import StandardsError
    from tieout.tie.claims import ClaimError
    from tieout.tie.reports import ReportError
    from tieout.tie.results import TieError
    from tieout.transform.dbt import TransformError

    return (
        AccessError,
        Busy,
        ClaimError,
        CommandError,
        ContractError,
        ClaimedFileError,
        IngestError,
        MasterDataError,
        MetricError,
        PostgresServerError,
        PublishError,
        ReportError,
        StandardsError,
        SuiteError,
        TieError,
        TransformError,
        UnclassifiedError,
        UnpublishableError,
    )
