"""Pulling what is new since the last pull, without losing or repeating a row.

The next pull begins at the highest cursor landed so far less the promised lateness, so equal timestamps at
the border, late commits and clocks that run behind lose nothing; rows read again are recognised by their
hash. The cursor never goes beyond the clock: one row dated 2099 must not hide those that follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tieout.engine import literal, quoted

if TYPE_CHECKING:
    import duckdb

NUMBERS = {"bigint", "integer"}


@dataclass(frozen=True)
class Cursor:
    """The columns (the first that is not null counts) of a file, which may hold them as text.

    Args:
        kind: The promised type. `timestamptz` is kept in UTC, the others as the source writes them.
        late: How late rows may come; does not matter to numbers, which only grow.
        zone: Of instants without one.
    """

    columns: tuple[str, ...]
    kind: str
    late: timedelta
    zone: str

    @property
    def value(self) -> str:
        """SQL for the cursor of a row; null where it cannot be read."""
        text = f"coalesce({', '.join(quoted(name) for name in self.columns)})"
        if self.kind in NUMBERS:
            return f"try_cast({text} as bigint)"
        if self.kind == "timestamptz":
            return f"timezone('UTC', try_cast({text} as timestamptz))"
        return f"try_cast({text} as timestamp)"

    def literal(self, text: str) -> str:
        return text if self.kind in NUMBERS else f"timestamp {literal(text)}"

    def lower(self, cursor_to: str | None) -> str | None:
        """Where the next pull begins; None for the beginning."""
        if cursor_to is None or self.kind in NUMBERS:
            return cursor_to
        return str(datetime.fromisoformat(cursor_to) - self.late)

    def highest(
        self, con: duckdb.DuckDBPyConnection, file: Path, before: str | None, now: datetime
    ) -> str | None:
        """The highest cursor landed so far: of this file or of the pulls before, not beyond the clock."""
        where = f"read_parquet({literal(str(file))})"
        if self.kind in NUMBERS:
            top = _one(con, f"select max({self.value}) from {where}")
            known = [int(str(item)) for item in (top, before) if item is not None]
            return str(max(known)) if known else None
        # A cursor without a zone may be in UTC or in company time: the earlier of the two is the safe limit.
        limit = now.astimezone(UTC).replace(tzinfo=None)
        if self.kind != "timestamptz":
            limit = min(limit, now.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None))
        # `least` skips nulls: a row without a cursor would move it to the clock.
        capped = f"least({self.value}, timestamp {literal(str(limit))})"
        top = _one(con, f"select max({capped}) from {where} where {self.value} is not null")
        known = [datetime.fromisoformat(str(item)) for item in (top, before) if item is not None]
        return str(max(known)) if known else None

    def leave_out_seen(
        self,
        con: duckdb.DuckDBPyConnection,
        fetched: Path,
        seen: Path | None,
        cursor_to: str | None,
        rows: Path,
        seen_next: Path,
    ) -> None:
        """Write the rows not landed before, and the hashes of those that the next pull will read again."""
        names = [
            item[0]
            for item in con.execute(
                f"describe select * from read_parquet({literal(str(fetched))})"
            ).fetchall()
        ]
        hashed = f"hash({', '.join(quoted(name) for name in names if name != '_row')})"
        low = self.lower(cursor_to)
        again = "true" if low is None else f"({self.value} >= {self.literal(low)} or {self.value} is null)"
        con.execute(
            f"copy (select distinct {hashed} as h from read_parquet({literal(str(fetched))}) where {again})"
            f" to {literal(str(seen_next))} (format parquet)"
        )
        if seen is None or not seen.is_file():
            fetched.rename(rows)
            return
        con.execute(
            f"copy (select * from read_parquet({literal(str(fetched))}) where {hashed} not in"
            f" (select h from read_parquet({literal(str(seen))}))) to {literal(str(rows))} (format parquet)"
        )
        fetched.unlink()


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> object:
    row = con.execute(sql).fetchone()
    return row[0] if row else None
