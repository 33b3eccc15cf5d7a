"""The doubtful pairs with their evidence: what a steward looks at, on the command line and on a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

# What a record is matched by is shown; how it is filed is not.
_FILED = {"record_id", "source_system", "source_key", "same_as"}


@dataclass(frozen=True)
class Pair:
    """Two records that may be the same or must not be joined; `others` pairs stand between the same two keys."""

    entity: str
    a: str
    b: str
    score: float | None
    why: str
    evidence: str
    pairs: int
    values: tuple[tuple[str, str | None, str | None], ...] = ()  # attribute, of a, of b

    @property
    def differing(self) -> set[str]:
        """Attributes that both have and that are not the same."""
        return {name for name, a, b in self.values if a and b and a != b}


def pairs_to_review(con: duckdb.DuckDBPyConnection, entity: str | None = None) -> list[Pair]:
    """Of each two groups of records the surest pair, the surest first.

    Args:
        con: The warehouse.
        entity: customer, supplier, product or employee; all, if not given.
    """
    rows = con.execute(
        """
        select p.entity, p.a, p.b, p.score, p.reason, p.evidence, count(*) over two as pairs
        from master.review_pair as p
        left join master.crosswalk as l on p.entity = l.entity and p.a = l.record_id
        left join master.crosswalk as r on p.entity = r.entity and p.b = r.record_id
        where p.entity = coalesce(?, p.entity)
        window two as (
            partition by p.entity, least(l.master_key, r.master_key), greatest(l.master_key, r.master_key)
        )
        qualify row_number() over (two order by p.score desc nulls first, p.a, p.b) = 1
        order by p.entity, p.score desc nulls first, p.a, p.b
        """,
        [entity],
    ).fetchall()
    found = [Pair(*row) for row in rows]
    records = {
        kind: _records(
            con, kind, {item for pair in found if pair.entity == kind for item in (pair.a, pair.b)}
        )
        for kind in {pair.entity for pair in found}
    }
    return [_with_values(pair, records[pair.entity]) for pair in found]


def _records(
    con: duckdb.DuckDBPyConnection, entity: str, wanted: set[str]
) -> dict[str, dict[str, str | None]]:
    relation = con.sql(
        f"select * from master.{entity}_record where list_contains($wanted, record_id)",
        params={"wanted": sorted(wanted)},
    )
    names = relation.columns
    return {
        row[names.index("record_id")]: {
            name: None if value is None else str(value)
            for name, value in zip(names, row, strict=True)
            if name not in _FILED
        }
        for row in relation.fetchall()
    }


def _with_values(pair: Pair, records: dict[str, dict[str, str | None]]) -> Pair:
    a, b = records.get(pair.a, {}), records.get(pair.b, {})
    values = tuple((name, a.get(name), b.get(name)) for name in a | b if a.get(name) or b.get(name))
    return Pair(pair.entity, pair.a, pair.b, pair.score, pair.why, pair.evidence, pair.pairs, values)
