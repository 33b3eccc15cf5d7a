"""Typed reader of `sources/<source>/source.yaml`: what one connected system has promised.

A contract is the only file needed to land a table. Unknown keys are errors, so a typo never silently
changes what is loaded. Connections are references; they are resolved while a run needs them and never
stored, printed or logged.
"""

from sources.contract.columns import Column, DatedCode, Sensitivity
from sources.contract.durations import Duration, duration
from sources.contract.formats import Format
from sources.contract.http import Http, Request
from sources.contract.references import ContractError, resolve
from sources.contract.source import (
    DATABASES,
    Connection,
    Limits,
    Schedule,
    Source,
    SourceControl,
    contract_version,
    read_source,
    read_sources,
)
from sources.contract.stream import BY_CURSOR, Control, SoftDelete, Stream

# BI tools fail on columns named like a type; the loader's own columns begin with an underscore.
TECHNICAL_COLUMNS = ("_batch_id", "_loaded_at", "_hash", "_origin", "_row", "_is_deleted")

__all__ = [
    "BY_CURSOR",
    "DATABASES",
    "TECHNICAL_COLUMNS",
    "Column",
    "Connection",
    "ContractError",
    "Control",
    "DatedCode",
    "Duration",
    "Format",
    "Http",
    "Limits",
    "Request",
    "Schedule",
    "Sensitivity",
    "SoftDelete",
    "Source",
    "SourceControl",
    "Stream",
    "contract_version",
    "duration",
    "read_source",
    "read_sources",
    "resolve",
]
