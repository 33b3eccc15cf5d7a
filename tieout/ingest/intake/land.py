"""The last yards of every door: what was received is judged against the contract and becomes a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Source, contract_version
from tieout.engine import connect, literal
from tieout.fingerprint import table_hash
from tieout.ingest.drift import Holds, baseline, grown, judge
from tieout.ingest.landing import WHOLE_TABLE, Landing, Manifest, batch_id
from tieout.ingest.promises import check_control, check_not_empty, check_types

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Received:
    """One pull of one stream, lying in a draft folder: `data` is the Parquet file there to load.

    `declared` is every column the source has now, `columns` those in `data`, both with the source's types.
    `fetched` counts rows before those already landed were left out; control totals speak of these.
    """

    origin: str
    data: str
    rows: int
    content_hash: str
    bytes: int
    columns: dict[str, str]
    declared: dict[str, str] = field(default_factory=dict)
    scope: str = WHOLE_TABLE
    complete: bool = True
    control: dict[str, str] = field(default_factory=dict)
    cursor: str | None = None
    cursor_to: str | None = None
    keys: str | None = None
    seen: str | None = None
    sparse: bool = False  # the source leaves out what is empty (JSON, XML)
    requests: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


def land(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    name: str,
    landing: Landing,
    draft: Path,
    got: Received,
    now: datetime,
) -> tuple[tuple[Manifest, ...], tuple[str, ...]]:
    """Check what lies in `draft` and make it a batch; returns it, and what a person should know.

    What lies there already, held until somebody decides, is not landed once more: then no batch is returned.

    Raises: SourceError or ControlTotalError; then nothing lands.
    """
    data = draft / got.data
    where = got.origin
    last = baseline(landing, source.name, name)
    stream = grown(source.streams[name], got.declared, last)
    if got.complete:
        check_not_empty(source, name, stream, got.rows, where, had_rows=landing.has_rows(source.name, name))
    before = landing.data_file(last) if last else None
    verdict = judge(
        con, source, name, stream, got.declared, last, data, before, origin=where, sparse=got.sparse
    )
    if verdict.held is None:
        check_types(con, source, name, stream, data, where, got.columns)
        if got.complete:
            check_control(con, source, name, stream, data, where, got.control, got.columns)
    if verdict.held and _waits_already(landing, source.name, name, got):
        return (), verdict.notes
    instant = landing.instant(source.name, name, now)
    gone = _without_erased(source, name, landing, draft, got, now)
    manifest = Manifest(
        source=source.name,
        stream=name,
        batch_id=batch_id(instant, got.scope + got.origin, got.content_hash),
        extracted_at=instant.isoformat(),
        scope=got.scope,
        origin=got.origin,
        data=got.data,
        rows=got.rows,
        bytes=got.bytes,
        content_hash=got.content_hash,
        contract_version=contract_version(source),
        columns=got.columns,
        declared=got.declared,
        control=got.control,
        complete=got.complete,
        cursor=got.cursor,
        cursor_to=got.cursor_to,
        keys=got.keys,
        seen=got.seen,
        evolved=verdict.evolved,
        held=verdict.held,
        requests=got.requests,
        expired=gone,
        seconds=round(got.seconds, 3),
    )
    return (landing.commit(draft, manifest),), verdict.notes


def _without_erased(
    source: Source,
    name: str,
    landing: Landing,
    draft: Path,
    got: Received,
    now: datetime,
) -> dict[str, str]:
    """Persons who were erased do not come back; what was fetched is known by its hash as the source said it."""
    from tieout.privacy.erased import erased

    people = erased(landing.root)
    if people is None:
        return {}
    from tieout.privacy.batches import draft_cleaned

    files = tuple(file for file in (got.data, got.keys) if file)
    kept = tuple(file for file in (got.seen,) if file)
    with connect() as con:  # the door's own may be inside a read-only snapshot of its system
        return draft_cleaned(con, source, name, draft, files, kept, people, now)


def _waits_already(landing: Landing, source: str, stream: str, got: Received) -> bool:
    newest = landing.latest(source, stream)
    if newest is None or Holds(landing).state(newest) != "held":
        return False
    return (newest.scope, newest.content_hash) == (got.scope, got.content_hash)


def fingerprint(con: duckdb.DuckDBPyConnection, file: Path) -> tuple[int, str]:
    """Row count and an order-free content hash of a Parquet file."""
    content = table_hash(con, f"read_parquet({literal(str(file))})")
    return int(content.partition("-")[0]), content
