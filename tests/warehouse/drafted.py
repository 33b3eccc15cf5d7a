"""A contract as `tieout source add` drafts it from a vendor's metadata, pulled as it is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sources.connectors.connector import Ask
from sources.contract import Source
from tests.vendor_rows import Pulls
from tieout.ingest.drafting.vendor import VendorWanted, draft_vendor
from tieout.ingest.intake.http.answer import read_answer
from tieout.ingest.intake.http.auth import Signer
from tieout.ingest.intake.http.client import Client
from tieout.ingest.intake.http.metadata import asker
from tieout.ingest.intake.http.values import Secrets
from tieout.ingest.manners import Manners
from tieout.strict import from_yaml


def asking(source: Pulls) -> Ask:
    """Asks as `tieout source add` does."""
    made = source.source
    secrets = Secrets(made)
    manners = Manners(made, source.landing.root / "asked.json", lambda: datetime.now(UTC))
    return asker(Client(made, Signer(made, secrets), manners, secrets))


def document_of(xml: str) -> Any:
    """XML as the door reads it."""
    return read_answer(xml.encode(), "application/xml", "xml", {}).document


def drafted(source: Pulls, root: Path, *objects: str) -> Pulls:
    """The draft for the same system, with a landing and a warehouse of its own."""
    made = source.source
    wanted = VendorWanted(
        "drafted", str(made.vendor), made.connection.url, dict(made.connection.options), objects
    )
    text = draft_vendor(wanted, root).text
    contract = Source.model_validate(from_yaml(text))
    return Pulls(contract, root / "drafted")


def table_of(source: Pulls, said: str) -> str:
    """The table that a vendor's object is loaded into."""
    (name,) = (name for name, stream in source.source.streams.items() if stream.object == said)
    return f'raw_drafted."{name}"'
