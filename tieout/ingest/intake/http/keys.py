"""What the list of all keys says: which rows are gone, and which never came.

A batch keeps only listed keys whose row we hold. A key without its row would hide it for ever: the next pull could
not tell that its row, on a page cut short or too late for the cursor, is still to come.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.engine import literal, quoted
from tieout.ingest.intake.http.batch import file_of, value_of
from tieout.ingest.intake.http.plan import Family
from tieout.ingest.intake.http.read import Whole

if TYPE_CHECKING:
    import duckdb

NAMED = (
    1_000  # missed keys that are compared from one reading to the next, the lowest: new ones are mostly high
)
SHOWN = 3


class ReadAll(Exception):
    """Rows are listed that did not come: too late for the cursor, or left out. Everything must be read (again).

    `missed`: their keys, as text, or some of them.
    """

    def __init__(self, missed: frozenset[str]) -> None:
        super().__init__()
        self.missed = missed


@dataclass(frozen=True)
class Held:
    """A file of the listed keys whose rows came now or before, and what is to be said of the others."""

    file: Path
    notes: tuple[str, ...] = ()


def held_keys(
    con: duckdb.DuckDBPyConnection,
    family: Family,
    got: Whole,
    whole: Whole,
    target: Path,
    missed: frozenset[str],
    *,
    last: bool,
) -> Held:
    """Compare the keys that are listed with those of the rows that came.

    Args:
        got: The listed keys.
        whole: The rows.
        missed: Keys that an earlier reading of this pull did not bring.
        last: Nothing is read again.

    Raises: ReadAll
    """
    names = [", ".join(map(quoted, table.key())) for table in (got.table, whole.table)]
    listed = f"select distinct {names[0]} from {_rows(got.file)}"
    before = _before(con, family, whole.table.key())
    if before is None and family.since is not None:
        if family.own:
            raise ReadAll(frozenset())  # keys were not listed before, so what was missed then cannot be told
        con.execute(f"copy ({listed}) to {literal(str(target))} (format parquet)")
        return Held(target)
    held = f"select {names[1]} from {_rows(whole.file)}"
    if before:
        held += f" union all select * from {_rows(before)}"
    con.execute(f"copy ({listed} intersect ({held})) to {literal(str(target))} (format parquet)")
    count = int(str(value_of(con, f"select count(*) from ({listed} except ({held}))")))
    if not count:
        return Held(target)
    rows = con.execute(f"{listed} except ({held}) order by all limit {NAMED}").fetchall()
    now = frozenset(", ".join(map(str, row)) for row in rows)
    # Rows that are made while we read are missed once; those missed twice are read once more.
    again = now & missed if missed and family.since is None else now
    if again and not last:
        raise ReadAll(now)
    shown = "; ".join(sorted(again or now)[:SHOWN])
    why = (
        "in spite of all readings: do `request` and `request.keys` ask for the same?"
        if again
        else "made meanwhile?"
    )
    return Held(
        target,
        (f"the list of keys has {count:,} without a row (such as {shown}), {why} The next pull asks again",),
    )


def _before(con: duckdb.DuckDBPyConnection, family: Family, key: list[str]) -> Path | None:
    """The keys held before, if they are of the same columns."""
    own = family.own
    file = file_of(own, own.last.keys if own and own.last else None)
    if file is None:
        return None
    names = [row[0] for row in con.execute(f"describe select * from {_rows(file)}").fetchall()]
    return file if names == key else None


def _rows(file: Path) -> str:
    return f"read_parquet({literal(str(file))})"
