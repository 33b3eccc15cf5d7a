"""What would happen if rows were let in: tried on the warehouse and rolled back, before anything is decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sources.contract import Source
from tieout.engine import literal, quoted
from tieout.ingest import rules
from tieout.ingest.batch import NEEDS_A_VALUE, Batch
from tieout.ingest.decisions import Decision
from tieout.ingest.errors import IngestError
from tieout.ingest.landing import Landing, Manifest
from tieout.ingest.quarantine.rows import Row, decided, held_version
from tieout.ingest.tables import raw_table

if TYPE_CHECKING:
    import duckdb

UNDECIDED = "Nothing was decided."


class QuarantineError(IngestError):
    """What was asked cannot be decided; nothing was written down and no table changed."""


@dataclass(frozen=True)
class Planned:
    """One row as it would be loaded: `loads` typed values; `replaces` the version held now, if one is.

    `accepts`: reasons for which the row stays suspect all the same, and that the person takes on.
    """

    row: Row
    loads: dict[str, object]
    replaces: dict[str, object] | None
    accepts: tuple[str, ...]


def planned_release(
    con: duckdb.DuckDBPyConnection,
    sources: Mapping[str, Source],
    landing: Landing,
    rows: Sequence[Row],
    values: Mapping[str, str | None],
    now: datetime,
) -> list[Planned]:
    """What releasing `rows`, with `values` in the place of theirs, would load. Nothing is changed.

    Args:
        con: The warehouse, open for writing: the release is tried in a transaction that is rolled back.
        values: Column → value as text, None for no value; the same for every row.

    Raises: QuarantineError if one of the rows could not be let in, naming what to do instead.
    """
    accepted = {row.id: _judged(sources[row.source], landing, row, values) for row in rows}
    for row in rows:
        _check_key(con, sources[row.source], row, values)
    planned = []
    for source, stream, batch_id in dict.fromkeys((row.source, row.stream, row.batch_id) for row in rows):
        mine = [row for row in rows if (row.source, row.stream, row.batch_id) == (source, stream, batch_id)]
        manifest = next(m for m in landing.batches(source, stream) if m.batch_id == batch_id)
        same_stream = [row for row in rows if (row.source, row.stream) == (source, stream)]
        taken = [*decided(landing, source, stream), *_releases(same_stream, values, now)]
        loads = _trial(con, sources[source], landing, manifest, taken)
        for row in mine:
            version = loads.get((row.rule, row.record_hash))
            if version is None:
                raise QuarantineError(
                    f"{_named(row)} cannot be released: its key {_key(sources[source], row, values)} is already loaded "
                    f"from another row of the same batch. {UNDECIDED} Release only one row of a key; "
                    f"drop the others (`tieout quarantine drop`)."
                )
            held = held_version(con, sources[source], row)
            planned.append(Planned(row, version, held, accepted[row.id]))
    return planned


def about(row: Row, values: Mapping[str, str | None] | None = None) -> dict[str, object]:
    """How a decision names a row, and what was said in the place of its values."""
    named: dict[str, object] = {"record_hash": row.record_hash, "rule": row.rule}
    return {**named, "set": dict(values)} if values else named


def _judged(source: Source, landing: Landing, row: Row, values: Mapping[str, str | None]) -> tuple[str, ...]:
    """Reasons that remain and that a person may accept.

    Raises: QuarantineError for those that nobody can.
    """
    stream = source.streams[row.stream]
    if row.rule == "duplicate":
        raise QuarantineError(
            f"{_named(row)} cannot be released: it is a copy of a row that is loaded, so nothing is missing. "
            f"{UNDECIDED} `tieout quarantine drop {row.id}` takes it off the list."
        )
    if unknown := [column for column in values if column not in stream.columns]:
        raise QuarantineError(
            f"{row.source}.{row.stream} has no column {unknown[0]}. {UNDECIDED} It has {', '.join(stream.columns)}."
        )
    manifest = next((m for m in landing.batches(row.source, row.stream) if m.batch_id == row.batch_id), None)
    if manifest is None:
        raise QuarantineError(
            f"{_named(row)} cannot be released: its batch {row.batch_id} is no longer in the landing. {UNDECIDED} "
            f"Have the row sent again."
        )
    remaining = []
    for rule, reason in broken_promises(stream, {**row.values, **values}, manifest.extracted_at):
        column = reason.partition(" = ")[0]
        if rule in NEEDS_A_VALUE and column not in values:
            raise QuarantineError(
                f"{_named(row)} cannot be loaded as it is: {reason}. {UNDECIDED} "
                f"Say what it should be (--set {column}=VALUE), or have it mended in {row.source} and sent again."
            )
        if column in values:
            raise QuarantineError(
                f"--set {column}: {reason}. {UNDECIDED} Say a value that keeps the contract."
            )
        remaining.append(reason)
    return tuple(remaining)


def broken_promises(stream, values: Mapping[str, str | None], extracted_at: str) -> list[tuple[str, str]]:
    """Rule and reason of every promise that a row, its values as text, does not keep."""
    from tieout.engine import connect

    asked = rules.rules(stream, rules.as_text(stream), datetime.fromisoformat(extracted_at))
    if not asked:
        return []
    cases = ", ".join(f"case when {rule.condition} then {rule.reason} end" for rule in asked)
    with connect() as con:
        said = con.execute(f"select {cases} from ({rules.said_again(stream, values)})").fetchone() or ()
    return [(rule.name, reason) for rule, reason in zip(asked, said, strict=True) if reason is not None]


def _check_key(
    con: duckdb.DuckDBPyConnection, source: Source, row: Row, values: Mapping[str, str | None]
) -> None:
    """Raises: QuarantineError if a key given by hand is somebody else's, or would not last."""
    stream = source.streams[row.stream]
    if all(values.get(c, row.values.get(c)) == row.values.get(c) for c in stream.key):
        return
    if stream.deletes == "keys":
        raise QuarantineError(
            f"{_named(row)}: the key cannot be set by hand here. {UNDECIDED} {row.source} lists its keys at every "
            f"pull and would delete this one at the next. Have the row mended in {row.source}."
        )
    same_key = " and ".join(f"current.{quoted(c)} = said.{quoted(c)}" for c in stream.key)
    said = rules.said_again(stream, {**row.values, **values})
    taken = con.execute(
        f"select _batch_id from {raw_table(source, row.stream)} as current join ({said}) as said on {same_key}"
        f" where not current._is_deleted"
    ).fetchone()
    if taken:
        raise QuarantineError(
            f"{_named(row)}: the key {_key(source, row, values)} is that of another row, loaded from batch {taken[0]}. "
            f"{UNDECIDED} Say a key that is free, or have the row mended in {row.source}."
        )


def _trial(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    landing: Landing,
    manifest: Manifest,
    taken: Sequence[Decision],
) -> dict[tuple[str, str], dict[str, object]]:
    """What one batch would let in under these decisions, by rule and content; rolled back."""
    name = manifest.stream
    listed = ", ".join(f"batch_released.{quoted(column)}" for column in source.streams[name].columns)
    con.execute("begin")
    try:
        with Batch(con, source, name, landing, manifest, taken) as batch:
            batch.set_aside()
            if not con.execute(
                "select 1 from duckdb_tables() where table_name = 'batch_released' and temporary"
            ).fetchone():
                return {}
            cursor = con.execute(
                f"""
                select faults.rule, faults.record_hash, {listed}
                from batch_faults as faults join batch_rows using (_place)
                join batch_released on batch_released._row is not distinct from batch_rows._row
                    and batch_released._origin = batch_rows._origin
                where faults.decision = {literal("released")}
                """
            )
            names = [item[0] for item in cursor.description or []][2:]
            return {(row[0], row[1]): dict(zip(names, row[2:], strict=True)) for row in cursor.fetchall()}
    finally:
        con.execute("rollback")


def _releases(rows: Sequence[Row], values: Mapping[str, str | None], now: datetime) -> list[Decision]:
    """The decisions that would let rows in; never written down."""
    at = now.astimezone(UTC).isoformat(timespec="microseconds")
    return [
        Decision(
            kind="release-row",
            source=row.source,
            stream=row.stream,
            about=about(row, values),
            by="trial",
            reason="trial",
            at=at,
        )
        for row in rows
    ]


def _named(row: Row) -> str:
    return f"{row.id} ({row.source}.{row.stream}, {row.place})"


def _key(source: Source, row: Row, values: Mapping[str, str | None]) -> str:
    said = {**row.values, **values}
    return "|".join(str(said.get(column) or "") for column in source.streams[row.stream].key)
