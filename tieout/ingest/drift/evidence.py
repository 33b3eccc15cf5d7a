"""Values of the last batch and of what was read now, compared by key: what a name alone cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Stream
from tieout.engine import literal, quoted
from tieout.ingest.drift.changes import AGREE, Change, Evidence
from tieout.ingest.drift.kinds import contract_type, kind

if TYPE_CHECKING:
    import duckdb

# Rows of the last batch that are compared: enough for a hundredth of a percent, and soon done.
SAMPLE = 100_000
# A share of values that do not fit the promised type, above which a widened column is a retyped one.
MOST_UNFIT = 0.05
# How unlikely it must be that a column which was filled is empty by chance.
BY_CHANCE = 1e-6
# Rows of one key, and the share of them that had a value: above both, a column without any was emptied at the source;
# below, it may be one that is filled only for a while (locked by, assigned to).
ENOUGH, MOSTLY_FILLED = 20, 0.5
# Types that say how JSON writes a value, not what it is; and the families of those that are written in several ways.
_JSON_SCALARS = {"number", "string", "boolean"}
_NUMBERS = {"integer", "decimal", "float", "boolean"}
# Rows of one key whose value is the same although the type is another; the rest changed for reasons of its own.
MOSTLY_SAME = 0.9


class Compared:
    """What was read now beside the last batch of the stream, if there is one; Parquet files, single queries.

    Nothing is written: the connection may be inside a read-only transaction.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, stream: Stream, data: Path, last_data: Path | None
    ) -> None:
        self._con, self._stream = con, stream
        self._now = f"read_parquet({literal(str(data))})"
        self._last = f"read_parquet({literal(str(last_data))})" if last_data and last_data.is_file() else None

    # --- renamed? ---

    def heirs(self, lost: Sequence[str], heirs: Sequence[str]) -> dict[tuple[str, str], Evidence]:
        """How the old values of each lost column compare with those of each column it may have become."""
        there = [heir for heir in heirs if heir in self._columns_now]
        known = [column for column in lost if self._stream.column_in(column, self._columns_last)]
        found: dict[tuple[str, str], Evidence] = {}
        # The key first: once it is found again, everything else can be compared by it.
        renamed_key: dict[str, str] = {}
        for column in [column for column in known if column in self._stream.key]:
            for heir in there:
                found[column, heir] = self._by_set(column, heir)
            best = max(
                (heir for heir in there if heir not in renamed_key.values()),
                key=lambda heir: found[column, heir].share,
                default=None,
            )
            if best and found[column, best].share >= AGREE:
                renamed_key[column] = best
        rest = [column for column in known if column not in self._stream.key]
        left = [heir for heir in there if heir not in renamed_key.values()]
        beside = self._beside(rest, left, renamed_key)
        if beside is None:
            return found
        with self._con.cursor() as own:  # its temp table is its own, whatever transaction the door is in
            own.execute(f"create temp table beside as {beside}")
            for i, column in enumerate(rest):
                for j, heir in enumerate(left):
                    found[column, heir] = self._by_key(own, column, f"o{i}", f"n{j}")
        return found

    def _by_key(self, own: duckdb.DuckDBPyConnection, column: str, old: str, new: str) -> Evidence:
        row = own.execute(
            f"""
            with pair as (select {self._value(old, column)} as o, {self._value(new, column)} as n from beside),
            told as (select o, n from pair where o is not null or n is not null),
            often as (
                select sum(a.times * b.times) as hits
                from (select o, count(*) as times from told where o is not null group by o) as a
                join (select n, count(*) as times from told where n is not null group by n) as b on a.o = b.n
            )
            select count(*), count(*) filter (where o = n), coalesce(any_value(hits), 0)::double from told, often
            """
        ).fetchone()
        assert row is not None
        rows, equal, hits = row
        return Evidence(rows, equal, hits / rows / rows if rows else 0.0)

    def _by_set(self, column: str, heir: str) -> Evidence:
        """Of the distinct old values, how many are among the new ones."""
        old = self._value(quoted(self._stream.column_in(column, self._columns_last) or ""), column)
        new = self._value(quoted(heir), column)
        rows, equal = self._one(
            f"""
            with o as (select distinct {old} as v from {self._last} where {old} is not null limit {SAMPLE})
            select count(*), count(*) filter (where v in (select {new} from {self._now} where {new} is not null))
            from o
            """
        )
        return Evidence(rows, equal, by="set")

    # --- retyped? ---

    def spelled(self, change: Change) -> bool:
        """Whether JSON only writes a promised number or truth value in another way: `12.50`, "12.50", true, "true"."""
        assert change.column is not None and change.now is not None
        promised = self._stream.columns[change.column].type
        meant = kind(promised)
        if meant is None or meant.family not in _NUMBERS:
            return False
        if not {change.type_before, change.type_now} <= _JSON_SCALARS or change.now not in self._columns_now:
            return False
        return self._unfit(change.now, promised)[1] == 0

    def retyped(self, change: Change) -> Change:
        """Settle a change of type by its values: harmless if each still fits the promised type and lost nothing."""
        assert change.column is not None and change.now is not None
        if change.now not in self._columns_now:
            return change
        promised = self._stream.columns[change.column].type
        told, unfit, example = self._unfit(change.now, promised)
        if unfit:
            few = unfit <= MOST_UNFIT * told
            return replace(
                change,
                what=change.what if few else "retyped",
                detail=f"{unfit:,} of {told:,} values are not {promised}, for example {example!r}",
                harmless=change.harmless and few,
            )
        if change.what == "widened":
            return change
        if contract_type(change.type_now or "") == promised:
            return replace(change, detail=f"the contract promises {promised}", harmless=True)
        pair = self._pair(change.column, change.now, {})
        if pair is None:
            return change
        cut = self._cut(change, promised)
        rows, equal, lost, was, became = self._one(
            f"""
            with told as (select o, n, o <> n and ({cut}) as lost from ({pair}) where o is not null)
            select count(*), count(*) filter (where o = n), count(*) filter (where lost),
                any_value(o) filter (where lost), any_value(n) filter (where lost)
            from told
            """
        )
        if lost:
            detail = f"{lost:,} of {rows:,} values lost something: {was} is now {became}"
            return replace(change, detail=detail)
        same = Evidence(rows, equal)
        if rows == 0:
            return change
        return replace(change, evidence=same, detail=str(same), harmless=same.share >= MOSTLY_SAME)

    def _unfit(self, name: str, promised: str) -> tuple[int, int, str | None]:
        """How many values a column has, how many of them do not fit the promised type, and one that does not."""
        value = quoted(name)
        told, fitting, example = self._one(
            f"""
            select count({value}), count(try_cast({value} as {promised})),
                any_value(cast({value} as text)) filter (where try_cast({value} as {promised}) is null)
            from {self._now}
            """
        )
        return told, told - fitting, example

    def _cut(self, change: Change, promised: str) -> str:
        """SQL: the new value `n` is the old one `o` as the narrower type holds it (rounded, cut, without its time)."""
        there = contract_type(change.type_now or "")
        kept = [f"try_cast(o as {there})"]
        meant = kind(change.type_now or "")
        if meant and meant.family in ("integer", "decimal"):
            power = 10 ** (meant.scale or 0)
            kept.append(f"trunc(try_cast(o as decimal(38, 12)) * {power}) / {power}")
        as_text = [f"cast(try_cast({value} as {promised}) as text)" for value in kept]
        return " or ".join(f"coalesce(n = {value}, false)" for value in as_text)

    # --- there, but empty? ---

    def emptied(self, declared: Mapping[str, str], known: Iterable[str | None]) -> list[Change]:
        """Promised columns without a single value, of which the last batch had so many that it is no chance.

        Args:
            known: Columns whose change is already explained.
        """
        explained = set(known)
        wanted = {
            column: present
            for column in self._stream.columns
            if column not in explained
            and (present := self._stream.column_in(column, declared))
            and present in self._columns_now
        }
        filled = self._filled(self._now, list(wanted.values())) if self._last else {}
        found = []
        for column, name in wanted.items():
            if name in filled and filled[name] == 0:
                change = Change("emptied", column, name, name, None, declared[name])
                found += self._unfilled(change, name)
        return found

    def left_out(self, change: Change) -> list[Change]:
        """A column missing from a source that leaves out what is empty: a change if chance cannot explain it."""
        assert change.column is not None
        if self._stream.columns[change.column].required:
            return [change]
        return self._unfilled(change, None)

    def _unfilled(self, change: Change, name: str | None) -> list[Change]:
        """The change, grave or only worth a note, or none, by what the last batch held in that column."""
        assert change.column is not None
        before = self._stream.column_in(change.column, self._columns_last)
        if before is None or self._last is None:
            return []
        rows_now = self._one(f"select count(*) from {self._now}")[0]
        rows, filled = self._rows(self._last), self._filled(self._last, [before])[before]
        if not rows or not rows_now or (1 - filled / rows) ** rows_now > BY_CHANCE:
            return []
        pair = self._pair(change.column, name, {})
        common = self._one(f"select count(*) from ({pair}) where o is not null")[0] if pair else 0
        detail = (
            f"{filled:,} of {rows:,} rows had a value in the last batch, none of {rows_now:,} has one now"
        )
        required = self._stream.columns[change.column].required
        grave = required or (common >= ENOUGH and filled >= MOSTLY_FILLED * rows)
        return [replace(change, detail=detail, harmless=not grave)]

    def _rows(self, table: str) -> int:
        return self._one(f"select count(*) from {table}")[0]

    def _filled(self, table: str, names: Sequence[str]) -> dict[str, int]:
        """How many values each column has: from the file's own statistics, which costs nothing, where they say."""
        wanted = set(names)
        said = self._con.execute(
            f"select path_in_schema, sum(num_values - stats_null_count), count(*) = count(stats_null_count)"
            f" from {table.replace('read_parquet', 'parquet_metadata', 1)} group by path_in_schema"
        ).fetchall()
        found = {name: int(filled) for name, filled, complete in said if complete and name in wanted}
        rest = [name for name in names if name not in found]
        if rest:
            counts = self._one(f"select {', '.join(f'count({quoted(name)})' for name in rest)} from {table}")
            found |= dict(zip(rest, counts, strict=True))
        return found

    # --- how it is asked ---

    @cached_property
    def _columns_now(self) -> set[str]:
        return self._columns(self._now)

    @cached_property
    def _columns_last(self) -> set[str]:
        return self._columns(self._last) if self._last else set()

    def _columns(self, table: str) -> set[str]:
        return {row[0] for row in self._con.execute(f"describe select * from {table}").fetchall()}

    def _pair(self, column: str, name: str | None, renamed_key: Mapping[str, str]) -> str | None:
        """A query of `o`, the column's old value, and `n`, the value now of `name`, one row a key in both batches.

        None if there is nothing to compare: no last batch, or the key or the column is not in it.
        """
        beside = self._beside([column], [name] if name else [], renamed_key)
        if beside is None:
            return None
        new = self._value("n0", column) if name else "null::text"
        return f"select {self._value('o0', column)} as o, {new} as n from ({beside})"

    def _beside(
        self, lost: Sequence[str], heirs: Sequence[str], renamed_key: Mapping[str, str]
    ) -> str | None:
        """A query of old values (o0, o1 …) and new ones (n0, n1 …) of rows with the same key; None as above."""
        was = [self._stream.column_in(column, self._columns_last) for column in lost]
        if self._last is None or not lost or not all(was):
            return None
        old, new = [], []
        for part in self._stream.key:
            before = self._stream.column_in(part, self._columns_last)
            now = renamed_key.get(part) or self._stream.column_in(part, self._columns_now)
            if before is None or now is None:
                return None
            old.append(self._value(quoted(before), part))
            new.append(self._value(quoted(now), part))
        on = ", ".join(f"k{place}" for place in range(len(old)))
        left = [f"{value} as k{place}" for place, value in enumerate(old)]
        left += [f"{quoted(name or '')} as o{place}" for place, name in enumerate(was)]
        right = [f"{value} as k{place}" for place, value in enumerate(new)]
        right += [f"{quoted(name)} as n{place}" for place, name in enumerate(heirs)]
        kept = ", ".join(f"any_value(o{place}) as o{place}" for place in range(len(lost)))
        # A key that was sent twice counts once; on the other side it cannot make more rows than were read.
        return (
            f"select * from (select {on}, {kept} from (select {', '.join(left)} from (from {self._last} limit {SAMPLE}))"
            f" group by {on}) as l join (select {', '.join(right)} from {self._now}) as r using ({on})"
        )

    def _value(self, expression: str, column: str) -> str:
        """A value as text of the promised type, so that 1, 1.0 and '1.00' are one; as it is where it does not fit."""
        said = f"cast({expression} as text)"
        promised = self._stream.columns[column].type
        if promised == "text":
            return f"nullif(trim({said}), '')"
        return f"coalesce(cast(try_cast({expression} as {promised}) as text), nullif(trim({said}), ''))"

    def _one(self, sql: str) -> tuple:
        row = self._con.execute(sql).fetchone()
        assert row is not None
        return row
