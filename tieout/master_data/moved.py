"""What changed hands between two publishes: rows of facts whose master key is another one, with their amounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.engine import literal, quoted
from tieout.master_data.types import ENTITIES, MasterDataError

if TYPE_CHECKING:
    import duckdb

# Days on which something was meant to happen; the day of a row is when it did.
_MEANT = ("planned_", "due_", "needed_")
# What may be added up over any rows: one currency, hours. Quantities have units, amounts of a document its currency.
_ADDITIVE = ("_amount_cny", "_net_cny", "_tax_cny", "_gross_cny", "_hours")


@dataclass(frozen=True)
class Move:
    """`amount` of `measure` on `rows` rows of a fact went from key `left` to key `right`.

    `month` is the first day of the month of the rows, if they were asked for by month and have a day. Rows with nothing that
    adds up have no `measure` and no `amount`.
    """

    fact: str
    entity: str
    left: str
    right: str
    month: date | None
    rows: int
    measure: str | None
    amount: Decimal | None


@dataclass(frozen=True)
class Moved:
    """Everything that moved, and how many of the facts' totals are as they were; `other` names those that are not."""

    before: str
    after: str
    moves: tuple[Move, ...]
    rows: int
    facts: int
    totals: int
    kept: int
    other: tuple[str, ...]


@dataclass(frozen=True)
class _Fact:
    """What can be compared of a fact that both publishes have: its row key, days, measures and master keys."""

    table: str
    key: str
    day: str | None
    measures: tuple[str, ...]
    entities: tuple[str, ...]


def compare(snapshots: Path, since: str | None = None, *, monthly: bool = False) -> Moved:
    """Compare the published snapshot with an earlier one, fact by fact and row by row.

    Args:
        snapshots: The folder that publishes write to; a few earlier files stay there.
        since: Publish id of the earlier one; the one before the last, if not given.
        monthly: Tell the months apart, by the day of each row.

    Raises: MasterDataError if there is no such pair of files.
    """
    import duckdb

    current = (snapshots / "current.duckdb").resolve()
    earlier = sorted(path for path in snapshots.glob("tieout-*.duckdb") if path.name < current.name)
    chosen = [
        path for path in earlier if since is None or path.stem == f"tieout-{since.removeprefix('tieout-')}"
    ]
    if not current.is_file() or not chosen:
        there = ", ".join(path.stem.removeprefix("tieout-") for path in earlier) or "none"
        raise MasterDataError(
            f"there is no earlier publish to compare with (kept: {there}). Nothing was compared."
        )
    with duckdb.connect() as con:
        for name, path in (("before", chosen[-1]), ("now", current)):
            con.execute(f"attach {literal(str(path))} as {name} (read_only)")
        facts = _facts(con)
        moves, rows = _moves(con, facts, monthly=monthly)
        totals, other = _totals(con, facts)
    before, after = (path.stem.removeprefix("tieout-") for path in (chosen[-1], current))
    moved = len({move.fact for move in moves})
    return Moved(before, after, tuple(moves), rows, moved, totals, totals - len(other), tuple(other))


def _facts(con: duckdb.DuckDBPyConnection) -> list[_Fact]:
    columns: dict[tuple[str, str], dict[str, str]] = {}
    for database, table, column, kind in con.execute(
        "select database_name, table_name, column_name, data_type from duckdb_columns()"
        " where schema_name = 'marts' and starts_with(table_name, 'fct_') order by table_name, column_index"
    ).fetchall():
        columns.setdefault((database, table), {})[column] = kind
    found = []
    for table in sorted({table for _, table in columns}):
        before, now = columns.get(("before", table), {}), columns.get(("now", table), {})
        both = [name for name in now if name in before]
        key = _row_key(con, table, both)
        days = [name for name in both if now[name] == "DATE" and not name.startswith(_MEANT)]
        if key:
            found.append(
                _Fact(
                    table,
                    key,
                    days[0] if days else None,
                    tuple(name for name in both if name.endswith(_ADDITIVE)),
                    tuple(entity for entity in ENTITIES if f"{entity}_key" in both),
                )
            )
    return found


def _row_key(con: duckdb.DuckDBPyConnection, table: str, columns: list[str]) -> str | None:
    """The fact's own key, or the key of another fact that it has one row for each of, in both publishes."""
    own = f"{table.removeprefix('fct_')}_key"
    if own in columns:
        return own
    first = next((name for name in columns if name.endswith("_key")), None)
    if first is None:
        return None
    for database in ("before", "now"):
        rows = con.execute(
            f"select count(*), count(distinct {quoted(first)}) from {database}.marts.{quoted(table)}"
        ).fetchone()
        if rows is None or rows[0] != rows[1]:
            return None
    return first


def _moves(con: duckdb.DuckDBPyConnection, facts: list[_Fact], *, monthly: bool) -> tuple[list[Move], int]:
    """Every move, and how many rows moved."""
    moves: list[Move] = []
    rows = 0
    for fact in facts:
        month = (
            f"cast(date_trunc('month', now.{quoted(fact.day)}) as date)" if monthly and fact.day else "null"
        )
        sums = "".join(f", sum(now.{quoted(name)})" for name in fact.measures)
        for entity in fact.entities:
            column = f"{entity}_key"
            for left, right, first, count, *amounts in con.execute(
                f"select was.{column}, now.{column}, {month}, count(*){sums}"
                f" from now.marts.{quoted(fact.table)} as now"
                f" join before.marts.{quoted(fact.table)} as was using ({quoted(fact.key)})"
                f" where now.{column} is distinct from was.{column} group by all order by all"
            ).fetchall():
                rows += count
                added = [
                    (name, amount) for name, amount in zip(fact.measures, amounts, strict=True) if amount
                ]
                moves += [
                    Move(fact.table, entity, left, right, first, count, name, amount)
                    for name, amount in added or [(None, None)]
                ]
    return moves, rows


def _totals(con: duckdb.DuckDBPyConnection, facts: list[_Fact]) -> tuple[int, list[str]]:
    """How many totals there are, and in words those that are not as they were."""
    totals, other = 0, []
    for fact in facts:
        if not fact.measures:
            continue
        asked = ", ".join(f"sum({quoted(name)})" for name in fact.measures)
        before, now = (
            con.execute(f"select {asked} from {database}.marts.{quoted(fact.table)}").fetchone() or ()
            for database in ("before", "now")
        )
        totals += len(fact.measures)
        other += [
            f"{fact.table}.{name}: {was} was, {is_now} is"
            for name, was, is_now in zip(fact.measures, before, now, strict=True)
            if was != is_now
        ]
    return totals, other
