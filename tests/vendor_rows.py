"""What tests of vendors share: contracts pulled from emulators, and the rows that a system's store holds beside them.

The store's canonical values are read by Python alone; nothing of the way the rows were loaded is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from sandbox.huachen.world import World, history
from sandbox.store import Store, Table
from sources.contract import Source
from sources.contract.source import read_source
from tests.conftest import SmallSource
from tieout.ingest.drafting.vendor import VendorWanted, draft_vendor
from tieout.ingest.extract import extract_source
from tieout.ingest.intake.ask import Ask, Extracted
from tieout.ingest.landing import Landing
from tieout.strict import from_yaml

if TYPE_CHECKING:
    import duckdb

CONTRACTS = Path(__file__).parents[1] / "sources"
PULLED_AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
Rows = dict[tuple[Any, ...], dict[str, Any]]  # by key, under the contract's names


# --- contracts ------------------------------------------------------------------------------------


def contract(
    name: str, url: str, options: dict[str, str], streams: tuple[str, ...] = (), **more: Any
) -> Source:
    """The contract in `sources/<name>` with this address and these options (over its own); `streams`: only those."""
    document = from_yaml((CONTRACTS / name / "source.yaml").read_text(encoding="utf-8"))
    own = document["connection"].get("options", {})
    document["connection"] = {"url": url, "options": {**own, **options}}
    if streams:
        document["streams"] = {key: document["streams"][key] for key in streams}
    return Source.model_validate({**document, **more})


def drafted(vendor: str, url: str, options: dict[str, str], root: Path) -> Source:
    """The contract that `tieout source add` writes, as it is."""
    draft = draft_vendor(VendorWanted("drafted", vendor, url, options), root / "state")
    path = root / "drafted" / "source.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(draft.text, encoding="utf-8")
    return read_source(path)


def announced(
    name: str, url: str, options: Mapping[str, str], root: Path, patch: pytest.MonkeyPatch, **limits: Any
) -> Pulls:
    """The contract as it is written; its address and options are announced as the sandbox does. Waits are short."""
    patch.setenv(f"{name.upper()}_URL", url)
    for option, value in options.items():
        patch.setenv(f"{name.upper()}_{option.upper()}", value)
    patch.setattr("tieout.ingest.manners.FIRST_BACKOFF", 0.001)
    return Pulls(quick(read_source(CONTRACTS / name / "source.yaml"), **limits), root)


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


# --- pulls ----------------------------------------------------------------------------------------


class Pulls(SmallSource):
    """Pulls and loads one source; outcomes by stream."""

    def __init__(self, source: Source, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        super().__init__(source, root, Landing(root / "landing"), root / "warehouse.duckdb")

    def outcomes(self, **ask: Any) -> dict[str, Extracted]:
        """One pull, not loaded."""
        self.pulls += 1
        moment = PULLED_AT + timedelta(minutes=self.pulls)
        return {
            item.stream: item
            for item in extract_source(self.source, self.landing, Ask(moment, **ask), lambda _: None)
        }

    def refresh(self, *streams: str, **ask: Any) -> dict[str, float]:
        """All streams or these pulled and loaded; one that was refused fails the test. Returns what it took, summed."""
        outcomes = self.outcomes(**({"streams": frozenset(streams)} if streams else {}), **ask)
        refused = {name: str(item.error) for name, item in outcomes.items() if item.error}
        assert not refused, refused
        self.load()
        took = [manifest.requests for item in outcomes.values() for manifest in item.landed]
        return {
            name: sum(item.get(name, 0.0) for item in took)
            for name in ("calls", "retries", "pages", "readings")
        }

    def refused(self, stream: str, *, whole: bool = False) -> str:
        """What the refused pull of one stream says; nothing of it may have landed. `whole`: all streams are asked for,
        and the system's metadata first.
        """
        before = self.landing.batches(self.source.name, stream)
        outcome = self.outcomes(streams=None if whole else frozenset({stream}))[stream]
        assert outcome.error is not None and outcome.landed == (), "the pull was not refused"
        assert self.landing.batches(self.source.name, stream) == before
        return str(outcome.error)

    def loaded(self, stream: str) -> Rows:
        """The rows that hold now."""
        return by_key(self.source, stream, self.rows(_held(self.source, stream)))

    def truth(self, stream: str, rows: Iterable[Mapping[str, Any]]) -> Rows:
        """The store's canonical rows, given under the contract's names, as the warehouse should hold them."""
        return as_promised(self.source, stream, rows)


# --- rows -----------------------------------------------------------------------------------------


def held(store: Store, table: str, source: Source, stream: str, blank: tuple[str, ...] = ()) -> Rows:
    """Rows of a store's table as the columns of a stream should show them. `blank`: texts that mean no value."""
    spec = source.streams[stream]
    rows = [{name: row[spec.source_column(name)] for name in spec.columns} for row in store.rows(table)]
    return as_promised(source, stream, rows, blank)


def store_rows(source: Source, stream: str, table: Table) -> Rows:
    """Rows of a store's table, also one in memory, as the columns of a stream should show them; empty is no value."""
    spec = source.streams[stream]
    names = [item.name for item in table.fields]
    places = {column: names.index(spec.source_column(column).lstrip("@")) for column in spec.columns}
    rows = [{column: row[place] for column, place in places.items()} for row in table.rows]
    return as_promised(source, stream, rows, ("",))


def held_rows(con: duckdb.DuckDBPyConnection, source: Source, stream: str) -> Rows:
    """The rows that hold now in the warehouse."""
    return by_key(source, stream, con.execute(_held(source, stream)).fetchall())


def differences(there: Rows, here: Rows) -> list[str]:
    """What is missing, what is too much, and every row that is not the same."""
    found = [f"missing {key}" for key in there.keys() - here.keys()]
    found += [f"not in the source {key}" for key in here.keys() - there.keys()]
    return found + [f"{key}: {row} is {here[key]}" for key, row in there.items() if here.get(key, row) != row]


def as_promised(
    source: Source, stream: str, rows: Iterable[Mapping[str, Any]], blank: tuple[str, ...] = ()
) -> Rows:
    """Canonical values under the contract's names as values of the promised types, by key."""
    kinds = {name: column.type for name, column in source.streams[stream].columns.items()}
    zone = ZoneInfo(source.timezone)
    made = [tuple(_value(kind, row[name], zone, blank) for name, kind in kinds.items()) for row in rows]
    return by_key(source, stream, made)


def by_key(source: Source, stream: str, rows: list[tuple]) -> Rows:
    """Rows of all the contract's columns, in its order."""
    spec = source.streams[stream]
    named = [dict(zip(spec.columns, row, strict=True)) for row in rows]
    found = {tuple(row[name] for name in spec.key): row for row in named}
    assert len(found) == len(rows), f"{stream}: a key came twice"
    return found


def _held(source: Source, stream: str) -> str:
    """SQL: the rows that hold now."""
    listed = ", ".join(f'"{name}"' for name in source.streams[stream].columns)
    return f'select {listed} from {source.raw_schema}."{stream}" where not _is_deleted'


def _value(kind: str, value: Any, zone: ZoneInfo, blank: tuple[str, ...]) -> Any:
    if value is None or value in blank:
        return None
    if kind == "timestamptz":
        return datetime.fromisoformat(value).astimezone(UTC)
    if kind == "timestamp":  # wall time, also of a file that names no zone
        moment = datetime.fromisoformat(value)
        return moment.astimezone(zone).replace(tzinfo=None) if moment.tzinfo else moment
    if kind == "date":
        return date.fromisoformat(value)
    if kind.startswith("decimal"):
        return Decimal(str(value))
    if kind in {"bigint", "integer"}:
        return int(value)
    if kind == "boolean":
        return bool(value)
    return str(value) if kind == "text" else value  # ids are numbers here and texts there


# --- small worlds ---------------------------------------------------------------------------------


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
