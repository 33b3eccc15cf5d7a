"""What must not change when a person goes: the totals of every fact, every identity, and who is who."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tieout.engine import quoted

if TYPE_CHECKING:
    import duckdb

TOTAL, IDENTITY, KEY = "total", "identity", "key"


@dataclass(frozen=True)
class Compared:
    """How many figures of one kind are as they were, and those that are not, in words."""

    kind: str
    figures: int
    differ: tuple[str, ...]

    @property
    def same(self) -> int:
        return self.figures - len(self.differ)


def figures(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Every figure of the marts, as exact text by `kind name`.

    Totals: rows of each fact, the sum of each number of it, how many masters each of its keys names. Identities: what
    each came to. Keys: of each entity, how many there are.
    """
    found: dict[str, str] = {}
    columns: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in con.execute(
        "select table_name, column_name, data_type from duckdb_columns()"
        " where schema_name = 'marts' and starts_with(table_name, 'fct_') order by table_name, column_index"
    ).fetchall():
        columns.setdefault(table, []).append((column, kind))
    for table, listed in columns.items():
        asked = {"rows": "count(*)"}
        for column, kind in listed:
            if kind.startswith("DECIMAL") or kind in ("BIGINT", "INTEGER", "HUGEINT"):
                asked[column] = f"sum({quoted(column)})"
            elif kind == "DOUBLE":  # a sum of floating numbers depends on their order
                asked[column] = f"sum(cast({quoted(column)} as decimal(38, 6)))"
            elif column.endswith("_key") and column != f"{table.removeprefix('fct_')}_key":
                asked[column] = f"count(distinct {quoted(column)})"
        row = con.execute(f"select {', '.join(asked.values())} from marts.{quoted(table)}").fetchone()
        assert row is not None
        found |= {f"{TOTAL} {table}.{name}": str(value) for name, value in zip(asked, row, strict=True)}
    for identity, *said in con.execute(
        "select identity, status, left_total, right_total, unexplained from tie.identity_result"
    ).fetchall():
        found[f"{IDENTITY} {identity}"] = ", ".join(map(str, said))
    for entity, keys in con.execute(
        "select entity, count(distinct master_key) from master.crosswalk group by entity"
    ).fetchall():
        found[f"{KEY} {entity}"] = str(keys)
    return found


def compare(before: dict[str, str], after: dict[str, str]) -> list[Compared]:
    """Each kind of figure, with what differs to the last digit."""
    kinds = dict.fromkeys(name.partition(" ")[0] for name in (*before, *after))
    found = []
    for kind in kinds:
        names = sorted(name for name in {*before, *after} if name.startswith(f"{kind} "))
        differ = tuple(
            f"{name}: {before.get(name, 'nothing')} was, {after.get(name, 'nothing')} is"
            for name in names
            if before.get(name) != after.get(name)
        )
        found.append(Compared(kind, len(names), differ))
    return found
