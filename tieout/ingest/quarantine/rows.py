"""The rows in quarantine, each under a short id that stays the same when the warehouse is rebuilt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from sources.contract import Source
from tieout.engine import quoted
from tieout.ingest.decisions import Decision, decisions
from tieout.ingest.landing import Landing
from tieout.ingest.rules import said_again
from tieout.ingest.tables import raw_table

if TYPE_CHECKING:
    import duckdb

KINDS = {"release-row", "drop-row", "undecide-row"}
State = Literal["waiting", "released", "dropped", "superseded"]

_ROWS = """
    select substr(sha256(concat_ws('|', source, stream, batch_id, origin, row_number, rule, record_hash)), 1, 10) as id,
        coalesce(decision, case when closed_by is null then 'waiting' else 'superseded' end) as state,
        source, stream, batch_id, origin, row_number, record_key, rule, reason, owner, quarantined_at,
        record, record_hash, closed_by, decided_by
    from ops.quarantine
"""


@dataclass(frozen=True)
class Row:
    """One row that was set aside, every value in `record` (JSON) as the source said it.

    `state`: it waits, was let in, was left out for good, or the source has spoken about it since.
    """

    id: str
    state: State
    source: str
    stream: str
    batch_id: str
    origin: str
    row_number: int | None
    record_key: str | None
    rule: str
    reason: str
    owner: str
    quarantined_at: datetime
    record: str
    record_hash: str
    closed_by: str | None
    decided_by: str | None

    @property
    def values(self) -> dict[str, str | None]:
        return json.loads(self.record)

    @property
    def place(self) -> str:
        return f"{self.origin}, row {self.row_number}" if self.row_number else self.origin


@dataclass(frozen=True)
class Filter:
    """Which rows: all that wait, or some of them; `every` also those decided upon or superseded."""

    source: str | None = None
    stream: str | None = None
    rule: str | None = None
    owner: str | None = None
    every: bool = False

    @property
    def names_some(self) -> bool:
        """Whether anything is said about which rows."""
        return any((self.source, self.stream, self.rule, self.owner))

    def sql(self) -> tuple[str, list[str]]:
        """A condition over the rows, and its parameters."""
        parts, values = ["true" if self.every else "state = 'waiting'"], []
        for name in ("source", "stream", "rule", "owner"):
            if value := getattr(self, name):
                parts.append(f"{name} = ?")
                values.append(value)
        return " and ".join(parts), values


@dataclass(frozen=True)
class Count:
    """How many rows of a stream one rule set aside, in each state."""

    source: str
    stream: str
    rule: str
    owner: str
    waiting: int
    released: int
    dropped: int
    superseded: int
    since: datetime


def found(con: duckdb.DuckDBPyConnection, wanted: Filter, limit: int | None = None) -> list[Row]:
    """The rows a filter names, in the order of the contracts' names and of the places they came from."""
    where, values = wanted.sql()
    listed = f"select * from ({_ROWS}) where {where} order by source, stream, rule, batch_id, origin, row_number, id"
    rows = con.execute(listed + (f" limit {limit}" if limit else ""), values).fetchall()
    return [Row(*row) for row in rows]


def by_id(con: duckdb.DuckDBPyConnection, start: str) -> list[Row]:
    """Rows whose id begins with `start`; more than one where they are alike to the last character."""
    rows = con.execute(f"select * from ({_ROWS}) where starts_with(id, ?) order by id", [start.lower()])
    return [Row(*row) for row in rows.fetchall()]


def counts(con: duckdb.DuckDBPyConnection, wanted: Filter) -> list[Count]:
    """Rows by stream and rule, the most first."""
    where, values = wanted.sql()
    states = ", ".join(
        f"count(*) filter (state = '{state}')" for state in ("waiting", "released", "dropped", "superseded")
    )
    rows = con.execute(
        f"select source, stream, rule, owner, {states}, min(quarantined_at) from ({_ROWS}) where {where}"
        " group by all order by 5 desc, 1, 2, 3",
        values,
    )
    return [Count(*row) for row in rows.fetchall()]


def held_version(con: duckdb.DuckDBPyConnection, source: Source, row: Row) -> dict[str, object] | None:
    """The version of the row's key that is loaded meanwhile, with its batch; None if none is, or it was deleted."""
    stream = source.streams[row.stream]
    same_key = " and ".join(f"current.{quoted(c)} = said.{quoted(c)}" for c in stream.key)
    listed = ", ".join(
        f"current.{quoted(column)}" for column in (*stream.columns, "_batch_id", "_origin", "_row")
    )
    cursor = con.execute(
        f"select {listed} from {raw_table(source, row.stream)} as current"
        f" join ({said_again(stream, row.values)}) as said on {same_key} where not current._is_deleted"
    )
    names = [item[0] for item in cursor.description or []]
    version = cursor.fetchone()
    return dict(zip(names, version, strict=True)) if version else None


def history(landing: Landing, row: Row) -> list[Decision]:
    """Every decision ever taken on rows of this content and rule, oldest first."""
    return [item for item in decided(landing, row.source, row.stream) if concerns(item, row)]


def decided(landing: Landing, source: str, stream: str) -> Sequence[Decision]:
    """Decisions on single rows of one stream, oldest first."""
    return decisions(landing.root, kinds=KINDS, source=source, stream=stream)


def concerns(decision: Decision, row: Row) -> bool:
    """Whether a decision speaks of rows like this one: the same content, set aside for the same reason.

    Copies of a row that was released are duplicates of it, so the release is part of their history too.
    """
    about = decision.about
    return about.get("record_hash") == row.record_hash and (
        about.get("rule") == row.rule or row.rule == "duplicate"
    )
