"""What changed hands between two publishes: rows of facts whose master key is another one, with their amounts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.engine import literal, quoted
from tieout.master_data.types import ENTITIES, MasterDataError

if TYPE_CHECKING:
    import duckdb

# What may be added up over any rows: one currency, hours. Quantities have units, amounts of a document its currency.
_ADDITIVE = ("_amount_cny", "_net_cny", "_tax_cny", "_gross_cny", "_hours")


@dataclass(frozen=True)
class Move:
    """`amount` of `measure` on `rows` rows of a fact went from key `left` to key `right`."""

    fact: str
    entity: str
    left: str
    right: str
    rows: int
    measure: str
    amount: Decimal


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


def compare(snapshots: Path, since: str | None = None) -> Moved:
    """Compare the published snapshot with an earlier one, fact by fact and row by row.

    Args:
        snapshots: The folder that publishes write to; a few earlier files stay there.
        since: Publish id of the earlier one; the one before the last, if not given.

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
        return _compare(con, chosen[-1].stem.removeprefix("tieout-"), current.stem.removeprefix("tieout-"))


def _compare(con: duckdb.DuckDBPyConnection, before: str, after: str) -> Moved:
    columns: dict[tuple[str, str], list[str]] = {}
    for database, table, column in con.execute(
        "select database_name, table_name, column_name from duckdb_columns()"
        " where schema_name = 'marts' and starts_with(table_name, 'fct_') order by table_name, column_index"
    ).fetchall():
        columns.setdefault((database, table), []).append(column)
    moves: list[Move] = []
    other: list[str] = []
    totals = rows = 0
    facts: set[str] = set()
    for table in sorted({table for _, table in columns}):
        both = [
            name for name in columns.get(("now", table), []) if name in columns.get(("before", table), [])
        ]
        key = f"{table.removeprefix('fct_')}_key"
        measures = [name for name in both if name.endswith(_ADDITIVE)]
        if key not in both or not measures:
            continue
        sums = [
            con.execute(
                f"select {', '.join(f'sum({quoted(name)})' for name in measures)} from {database}.marts.{quoted(table)}"
            ).fetchone()
            for database in ("before", "now")
        ]
        totals += len(measures)
        other += [
            f"{table}.{name}: {was} was, {now} is"
            for name, was, now in zip(measures, *(row or () for row in sums), strict=True)
            if was != now
        ]
        for entity in ENTITIES:
            column = f"{entity}_key"
            if column not in both:
                continue
            for left, right, count, *amounts in con.execute(
                f"select was.{column}, now.{column}, count(*), {', '.join(f'sum(now.{quoted(name)})' for name in measures)}"
                f" from now.marts.{quoted(table)} as now join before.marts.{quoted(table)} as was using ({quoted(key)})"
                f" where now.{column} is distinct from was.{column} group by 1, 2 order by 1, 2"
            ).fetchall():
                rows += count
                facts.add(table)
                moves += [
                    Move(table, entity, left, right, count, measure, amount)
                    for measure, amount in zip(measures, amounts, strict=True)
                    if amount
                ]
    return Moved(before, after, tuple(moves), rows, len(facts), totals, totals - len(other), tuple(other))
