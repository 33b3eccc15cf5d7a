"""What tests of vendors share: the rows that a system's store holds, as the warehouse should hold them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from sandbox.huachen.world import World, history
from sandbox.store import Store, Table
from sources.connectors import expanded
from sources.contract import Source
from sources.contract.source import read_source
from tests.conftest import SmallSource
from tieout.ingest.drafting.vendor import VendorWanted, draft_vendor
from tieout.ingest.extract import extract_source
from tieout.ingest.intake.ask import Ask, Extracted
from tieout.ingest.landing import Landing

CONTRACTS = Path(__file__).parents[1] / "sources"
PULLED_AT = datetime(2026, 11, 1, 12, tzinfo=UTC)


def contract(
    name: str, url: str, options: dict[str, str], streams: tuple[str, ...] = (), **more: Any
) -> Source:
    """The contract in `sources/<name>` with this address and these options (over its own); `streams`: only those."""
    document = yaml.safe_load((CONTRACTS / name / "source.yaml").read_text(encoding="utf-8"))
    own = document["connection"].get("options", {})
    document["connection"] = {"url": url, "options": {**own, **options}}
    if streams:
        document["streams"] = {key: document["streams"][key] for key in streams}
    return Source.model_validate(expanded({**document, **more}))


def drafted(vendor: str, url: str, options: dict[str, str], root: Path) -> Source:
    """The contract that `tieout source add` writes, as it is."""
    draft = draft_vendor(VendorWanted("drafted", vendor, url, options), root / "state")
    path = root / "drafted" / "source.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(draft.text, encoding="utf-8")
    return read_source(path)


class Pulls(SmallSource):
    """Pulls and loads one source; outcomes by stream."""

    def __init__(self, source: Source, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        super().__init__(source, root, Landing(root / "landing"), root / "warehouse.duckdb")

    def outcomes(self, **ask: Any) -> dict[str, Extracted]:
        self.pulls += 1
        moment = PULLED_AT + timedelta(minutes=self.pulls)
        return {
            item.stream: item
            for item in extract_source(self.source, self.landing, Ask(moment, **ask), lambda _: None)
        }

    def refresh(self, **ask: Any) -> dict[str, Extracted]:
        """Everything pulled and loaded; a stream that was refused fails the test."""
        outcomes = self.outcomes(**ask)
        refused = {name: str(item.error) for name, item in outcomes.items() if item.error}
        assert not refused, refused
        self.load()
        return outcomes

    def refused(self, stream: str, **ask: Any) -> str:
        """What the refused pull of a stream says; nothing of it may have landed."""
        before = self.landing.batches(self.source.name, stream)
        outcome = self.outcomes(**ask)[stream]
        assert outcome.error is not None and outcome.landed == (), "the pull was not refused"
        assert self.landing.batches(self.source.name, stream) == before
        return str(outcome.error)

    def loaded(self, stream: str) -> dict[tuple, dict[str, Any]]:
        """Rows by key, without what was deleted."""
        columns = list(self.source.streams[stream].columns)
        listed = ", ".join(f'"{name}"' for name in columns)
        rows = self.rows(f'select {listed} from raw_{self.source.name}."{stream}" where not _is_deleted')
        return by_key(self.source, stream, [dict(zip(columns, row, strict=True)) for row in rows])


def held(
    store: Store, table: str, source: Source, stream: str, blank: tuple[str, ...] = ()
) -> dict[tuple, dict]:
    """Rows of a store's table by key, as the columns of a stream should show them: worked out from the store alone.

    `blank`: texts that mean no value.
    """
    promised = source.streams[stream].columns
    columns = {name: source.streams[stream].source_column(name) for name in promised}
    kinds = {field.name: field.kind for field in store.tables[table].fields}
    zone = ZoneInfo(source.timezone)
    rows = []
    for row in store.rows(table):
        made = {name: _value(row[field], kinds[field], zone, blank) for name, field in columns.items()}
        # ids are numbers here and texts there, and a draft takes a number too long to be one for a text
        texts = {name for name, value in made.items() if promised[name].type == "text" and value is not None}
        rows.append(made | {name: str(made[name]) for name in texts})
    return by_key(source, stream, rows)


def _value(value: Any, kind: str, zone: ZoneInfo, blank: tuple[str, ...]) -> Any:
    if value is None or (kind in {"text", "choice"} and value in blank):
        return None
    if kind == "decimal":
        return Decimal(value)
    if kind == "date":
        return date.fromisoformat(value)
    if kind == "instant":
        return datetime.fromisoformat(value).astimezone(zone).replace(tzinfo=None)
    return bool(value) if kind == "flag" else value


def by_key(source: Source, stream: str, rows: list[dict[str, Any]]) -> dict[tuple, dict[str, Any]]:
    found = {tuple(row[name] for name in source.streams[stream].key): row for row in rows}
    assert len(found) == len(rows), "a key came twice"
    return found


def shortened(tables: list[Table], rows: int) -> list[Table]:
    """The same tables with their first rows only: small pages are seen in small tables."""
    return [replace(table, rows=list(table.rows)[:rows]) for table in tables]


@cache
def four_months() -> World:
    """The sandbox company's first four months: the same history as of two years, made in a fraction of the time."""
    last = history.LAST
    history.LAST = date(2024, 4, 30)
    try:
        return history.world(2026, 1)
    finally:
        history.LAST = last
