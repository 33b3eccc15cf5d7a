"""A vendor's contract pulled from its emulator into a small warehouse, and what was loaded held against the store's rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sources.contract import Source
from sources.contract.source import read_source
from tests.conftest import SmallSource
from tieout.ingest.extract import extract_source
from tieout.ingest.intake.ask import Ask, Extracted
from tieout.ingest.landing import Landing

SOURCES = Path(__file__).parents[2] / "sources"
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


class VendorSource(SmallSource):
    """The contract `sources/<name>` as it is written, on an emulator."""

    def told(self, **ask: Any) -> dict[str, Extracted]:
        """One pull: the outcome by stream."""
        self.pulls += 1
        moment = NOW + timedelta(minutes=self.pulls)
        return {
            item.stream: item
            for item in extract_source(self.source, self.landing, Ask(moment, **ask), lambda _: None)
        }

    def pulled(self, *streams: str) -> dict[str, float]:
        """Pull and load all streams or these; every one must come. Returns what it took, summed."""
        told = self.told(**({"streams": frozenset(streams)} if streams else {}))
        wrong = {name: str(item.error) for name, item in told.items() if item.error}
        assert not wrong, wrong
        self.load()
        took = [manifest.requests for item in told.values() for manifest in item.landed]
        return {
            name: sum(item.get(name, 0.0) for item in took)
            for name in ("calls", "retries", "pages", "readings")
        }

    def refused(self, stream: str) -> str:
        """What a refused pull of one stream says; nothing of it may have landed."""
        before = len(self.landing.batches(self.source.name, stream))
        outcome = self.told(streams=frozenset({stream}))[stream]
        assert outcome.error is not None, "the pull was not refused"
        assert len(self.landing.batches(self.source.name, stream)) == before
        return str(outcome.error)

    def held(self, stream: str) -> dict[tuple, tuple]:
        """Rows that hold now, by key, in the contract's columns."""
        spec = self.source.streams[stream]
        listed = ", ".join(
            f"\"{name}\" at time zone 'UTC'" if column.type == "timestamptz" else f'"{name}"'
            for name, column in spec.columns.items()
        )
        rows = self.rows(f'select {listed} from {self.source.raw_schema}."{stream}" where not _is_deleted')
        return self._by_key(stream, rows)

    def truth(self, stream: str, rows: Iterable[Mapping[str, Any]]) -> dict[tuple, tuple]:
        """The store's canonical rows, given under the contract's column names, as the warehouse should hold them."""
        columns = self.source.streams[stream].columns
        zone = self.source.timezone
        made = [tuple(_value(spec.type, row[name], zone) for name, spec in columns.items()) for row in rows]
        return self._by_key(stream, made)

    def _by_key(self, stream: str, rows: list[tuple]) -> dict[tuple, tuple]:
        spec = self.source.streams[stream]
        places = [list(spec.columns).index(name) for name in spec.key]
        found = {tuple(row[place] for place in places): row for row in rows}
        assert len(found) == len(rows), f"{stream}: the key does not name one row"
        return found


def vendor_source(
    name: str, url: str, options: Mapping[str, str], root: Path, patch: pytest.MonkeyPatch, **limits: Any
) -> VendorSource:
    """The contract with the address and the options announced as the sandbox announces them; waits are short."""
    patch.setenv(f"{name.upper()}_URL", url)
    for option, value in options.items():
        patch.setenv(f"{name.upper()}_{option.upper()}", value)
    patch.setattr("tieout.ingest.manners.FIRST_BACKOFF", 0.001)
    source = quick(read_source(SOURCES / name / "source.yaml"), **limits)
    return VendorSource(source, root, Landing(root / "landing"), root / "warehouse.duckdb")


def quick(source: Source, **limits: Any) -> Source:
    """The contract with no rate to keep, and with what is asked in pieces of time asked since the end of September only."""
    limits = {"requests_per_second": None, "retries": 3, **limits}
    streams = {
        name: stream.model_copy(
            update={"request": stream.request.model_copy(update={"beginning": "2026-09-28"})}
        )
        if stream.request and stream.request.span
        else stream
        for name, stream in source.streams.items()
    }
    return source.model_copy(update={"limits": source.limits.model_copy(update=limits), "streams": streams})


def _value(kind: str, value: Any, zone: str) -> Any:
    if value is None:
        return None
    if kind.startswith("decimal"):
        return Decimal(str(value))
    if kind == "date":
        return date.fromisoformat(value)
    if kind == "timestamptz":
        return datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None)
    if kind == "timestamp":
        return datetime.fromisoformat(value).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    if kind == "boolean":
        return bool(value)
    return int(value) if kind in {"bigint", "integer"} else value
