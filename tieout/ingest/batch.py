"""One landed batch on its way into the raw tables: cast, judged, and parted into good rows and rows set aside.

A small batch is cast once into a temporary table; a large one is read from its Parquet file at every pass, so
memory is bounded by the reader and not by the batch. A batch without a fault costs one look for faults and keys
sent twice; only where there are some are rows looked at one by one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Self

from sources.contract import Source
from tieout.engine import literal, quoted
from tieout.ingest import rules
from tieout.ingest.landing import WHOLE_TABLE, Landing, Manifest
from tieout.ingest.tables import raw_table

if TYPE_CHECKING:
    import duckdb

    from tieout.ingest.decisions import Decision

SMALL = 50_000  # rows; up to here a temporary table costs less than reading the file again
# Faults that say a value is not known: nobody can release such a row without saying the value.
NEEDS_A_VALUE = frozenset({"type", "precision", "required"})


class Batch:
    """The rows of one batch. Use as a context: its temporary tables are dropped at the end."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        source: Source,
        name: str,
        landing: Landing,
        manifest: Manifest,
        decisions: Sequence[Decision] = (),
    ) -> None:
        self.con, self.source, self.name, self.manifest = con, source, name, manifest
        self.stream = source.streams[name]
        self._decisions = decisions
        self._keys = landing.keys_file(manifest)
        file = literal(str(landing.data_file(manifest)))
        self.present = {
            row[0]: row[1] for row in con.execute(f"describe select * from read_parquet({file})").fetchall()
        }
        moment = datetime.fromisoformat(manifest.extracted_at)
        self._rules = rules.rules(self.stream, self.present, moment)
        # A source may have columns of these names too; they are the door's own only where it did not declare them.
        self._places = {"_row", "_origin"} & set(self.present) - set(manifest.columns)
        self._received = rules.received(self.stream, file, self.present, self._places)
        self.rows = 0
        self.good = "batch_good"
        self._released = False

    def __enter__(self) -> Self:
        columns = ", ".join(quoted(column) for column in self.stream.columns)
        origin = "_origin" if "_origin" in self._places else literal(self.manifest.origin)
        kind = "table" if self.manifest.rows <= SMALL else "view"
        self.con.execute(
            f"""
            create or replace temp {kind} batch_rows as
            select {columns}, {rules.content_hash(self.stream)} as _hash, {origin} as _origin, _row, _place,
                {rules.is_deleted(self.stream)} as _is_deleted, ({rules.broken(self._rules)}) as _is_broken
            from ({self._received})
            """
        )
        self._kind = kind
        return self

    def __exit__(self, *_: object) -> None:
        self.con.execute("drop view if exists batch_good")
        self.con.execute(f"drop {self._kind} if exists batch_rows")
        for table in ("batch_faults", "batch_released"):
            self.con.execute(f"drop table if exists {table}")

    def set_aside(self) -> int:
        """Find the rows that may not be loaded, and write them to quarantine; returns how many.

        Afterwards the view `good` holds the others.
        """
        key = ", ".join(quoted(column) for column in self.stream.key)
        row = self.con.execute(
            f"select count(*), count(*) filter (where _is_broken), count(distinct hash({key})) from batch_rows"
        ).fetchone()
        assert row is not None
        self.rows, broken, keys = row
        clean = broken == 0 and keys == self.rows and not self._appends_twice()
        columns = ", ".join(quoted(column) for column in self.stream.columns)
        every = f"{columns}, _hash, _origin, _row, _is_deleted"
        faults = 0
        if clean:
            self.con.execute(f"create or replace temp view batch_good as select {every} from batch_rows")
        else:
            self._find_faults()
            self._release()
            self.con.execute(
                f"create or replace temp view batch_good as select {every} from batch_rows"
                f" where _place not in (select _place from batch_faults)"
                f" union all by name select {every} from batch_released"
            )
            faults = self._count("batch_faults where decision is distinct from 'released'")
            self._released = self._count("batch_released") > 0
        self._close_earlier()
        if not clean:
            self._quarantine()
        return faults

    def gone(self) -> str | None:
        """Condition over `current`: keys that are held and that the source no longer has; None if nobody can say."""
        if self.manifest.complete:
            key = self._same_key("current", "batch")
            scope = "true"
            if self.manifest.scope != WHOLE_TABLE:
                origin = literal(self.manifest.origin)
                # A file read over several sheets is one scope, though each row says its sheet: `file#sheet`.
                scope = f"(current._origin = {origin} or starts_with(current._origin, {origin} || '#'))"
            # A quarantined row is still there in the source: its key is not deleted, its last good version stays.
            # A row that was let in has the key it was let in with.
            there = f"not exists (select 1 from batch_rows as batch where {key})"
            if self._released:
                there = (
                    f"not exists (select 1 from batch_rows as batch where {key} and _place not in"
                    f" (select _place from batch_faults where decision = 'released'))"
                    f" and not exists (select 1 from batch_released as batch where {key})"
                )
            return f"{scope} and {there}"
        if self._keys is None:
            return None
        listed = self._listed_keys()
        key = " and ".join(f"current.{quoted(c)} = listed.{quoted(c)}" for c in self.stream.key)
        return f"not exists (select 1 from ({listed}) as listed where {key})"

    # --- faults ---

    def _find_faults(self) -> None:
        """Temp table `batch_faults`: place, key, rule, reason and content of every row that may not be loaded."""
        key = ", ".join(quoted(column) for column in self.stream.key)
        text, record = rules.record_key(self.stream), rules.record(self.stream)
        already = "null::struct(rule text, reason text)"
        if self.stream.load == "append":
            words = f"{literal('the key ')} || {text} || {literal(' is in the log with other values: a log only grows')}"
            already = (
                f"case when _place in (select _place from batch_rewritten)"
                f" then {{'rule': 'append_only', 'reason': {words}}} end"
            )
            self.con.execute(f"create or replace temp table batch_rewritten as {self._rewritten()}")
        self.con.execute(
            f"""
            create or replace temp table batch_faults as
            with received as ({self._received}),
            judged as (
                select *, {rules.content_hash(self.stream)} as _hash, {rules.broken(self._rules)} as _is_broken,
                from received
            ),
            suspect as (
                select * from judged where _is_broken
                union
                select judged.* from judged semi join (
                    select {key} from judged where not _is_broken group by all having count(*) > 1
                ) as twice using ({key})
                union
                select * from judged where _place in ({self._rewritten_places()})
            ),
            compared as (
                select *, {text} as record_key, {record} as record, {rules.identity(self.stream)} as identity,
                    coalesce({rules.fault(self._rules)}, {already}) as own_fault,
                    count(*) over same_key as times, count(distinct _hash) over same_key as contents,
                    row_number() over (partition by _is_broken, {key} order by _place) as place
                from suspect
                window same_key as (partition by _is_broken, {key})
            ),
            named as (
                select _place, _row, record_key, record, identity, case
                    when own_fault is not null then own_fault
                    when times > 1 and contents > 1 then {{
                        'rule': 'key',
                        'reason': 'the key ' || record_key || ' was sent ' || times || ' times with different values'
                    }}
                    when place > 1 then {{
                        'rule': 'duplicate', 'reason': 'the same row was sent ' || times || ' times; one was kept'
                    }}
                end as fault
                from compared
            )
            select _place, _row, record_key, record, sha256(identity) as record_hash,
                fault.rule as rule, fault.reason as reason,
                null::text as decision, null::text as decided_by
            from named where fault is not null
            """
        )
        self.con.execute("drop table if exists batch_rewritten")

    def _rewritten(self) -> str:
        """Places of rows that say something else about a key than the log already does."""
        return (
            f"select batch._place from batch_rows as batch join {raw_table(self.source, self.name)} as current"
            f" on {self._same_key('current', 'batch')} where current._hash <> batch._hash"
        )

    def _rewritten_places(self) -> str:
        return "select _place from batch_rewritten" if self.stream.load == "append" else "select -1"

    def _appends_twice(self) -> bool:
        return self.stream.load == "append" and self._count(f"({self._rewritten()})") > 0

    def _release(self) -> None:
        """Temp table `batch_released`: rows a person let in, as they came or with the values that person gave."""
        columns = ", ".join(quoted(column) for column in self.stream.columns)
        self.con.execute(
            f"create or replace temp table batch_released as"
            f" select {columns}, _hash, _origin, _row, _is_deleted from batch_rows limit 0"
        )
        # The newest decision on a row is the one that counts; the ones that let in go first, since what is
        # sent beside the row let in is a duplicate of it from then on, and may have been decided on as such.
        newest = {
            (str(item.about.get("record_hash")), str(item.about.get("rule"))): item
            for item in self._decisions
        }
        for word, kind in (("released", "release-row"), ("dropped", "drop-row")):
            there = set(self.con.execute("select distinct record_hash, rule from batch_faults").fetchall())
            for (record_hash, rule), decision in newest.items():
                if decision.kind != kind or (record_hash, rule) not in there:
                    continue
                mine = "record_hash = ? and rule = ?"
                if word == "released":
                    place = self._let_in(record_hash, rule, decision.about.get("set") or {})
                    if place is None:
                        continue
                    self.con.execute(
                        f"update batch_faults set rule = 'duplicate',"
                        f" reason = 'the same row was sent more than once; one was released'"
                        f" where {mine} and _place <> {place}",
                        [record_hash, rule],
                    )
                self.con.execute(
                    f"update batch_faults set decision = ?, decided_by = ? where {mine}",
                    [word, decision.by, record_hash, rule],
                )

    def _let_in(self, record_hash: str, rule: str, values: dict[str, str | None]) -> int | None:
        """Add one row to the good ones and return its place; None if it would still be no row, or if its key is
        among them already."""
        found = self.con.execute(
            "select _place, record from batch_faults where record_hash = ? and rule = ? order by 1 limit 1",
            [record_hash, rule],
        ).fetchone()
        assert found is not None
        place, record = found
        if self._lacks_a_value({**json.loads(record), **values}):
            return None
        said = ", ".join(
            f"try_cast({_literal(values[c])} as {spec.type}) as {quoted(c)}" if c in values else quoted(c)
            for c, spec in self.stream.columns.items()
        )
        columns = ", ".join(quoted(column) for column in self.stream.columns)
        row = f"select {said}, _origin, _row from batch_rows where _place = {place}"
        key = self._same_key("row", "batch")
        before = self._count("batch_released")
        self.con.execute(
            f"""
            insert into batch_released
            select {columns}, {rules.content_hash(self.stream)}, _origin, _row, {rules.is_deleted(self.stream)}
            from ({row}) as row where not exists (select 1 from batch_released as batch where {key})
                and not exists (
                    select 1 from batch_rows as batch
                    where {key} and _place not in (select _place from batch_faults)
                )
            """
        )
        return place if self._count("batch_released") > before else None

    def _lacks_a_value(self, row: dict[str, str | None]) -> bool:
        """Whether a row, its values as text, still says something that cannot be held: no person can let that in."""
        moment = datetime.fromisoformat(self.manifest.extracted_at)
        asked = rules.rules(self.stream, rules.as_text(self.stream), moment)
        needed = [rule for rule in asked if rule.name in NEEDS_A_VALUE]
        found = self.con.execute(
            f"select {rules.broken(needed)} from ({rules.said_again(self.stream, row)})"
        ).fetchone()
        assert found is not None
        return found[0]

    def _quarantine(self) -> None:
        self.con.execute(
            f"""
            insert into ops.quarantine
            select {literal(self.source.name)}, {literal(self.name)}, {literal(self.manifest.batch_id)},
                rows._origin, f._row, f.record_key, f.rule, f.reason, f.record,
                {literal(self.source.owner_of(self.name))}, {literal(self.manifest.extracted_at)}::timestamptz,
                f.record_hash, null, f.decision, f.decided_by
            from batch_faults as f join batch_rows as rows using (_place)
            """
        )

    def _close_earlier(self) -> None:
        """A later word of the source about a row closes what was wrong with it before."""
        mine = f"source = {literal(self.source.name)} and stream = {literal(self.name)} and closed_by is null"
        if not self._count(f"ops.quarantine where {mine}"):
            return
        if self.manifest.complete:
            said = (
                "batch_id in (select batch_id from ops.batch where source = quarantine.source"
                f" and stream = quarantine.stream and (scope = {literal(self.manifest.scope)} or not complete))"
            )
            if self.manifest.scope == WHOLE_TABLE:
                said = "true"
        else:
            key = rules.record_key(self.stream)
            said = f"record_key in (select {key} from ({self._received}))"
            if self._keys is not None:
                text = " || '|' || ".join(f"coalesce(cast({quoted(c)} as text), '')" for c in self.stream.key)
                said += f" or record_key not in (select {text} from ({self._listed_keys()}))"
        self.con.execute(
            f"update ops.quarantine set closed_by = {literal(self.manifest.batch_id)} where {mine} and ({said})"
        )

    # --- small things ---

    def _listed_keys(self) -> str:
        """SELECT of the keys the source had when it was read, in the contract's names and types."""
        file = literal(str(self._keys))
        there = {
            row[0]: row[1]
            for row in self.con.execute(f"describe select * from read_parquet({file})").fetchall()
        }
        listed = ", ".join(
            f"try_cast({quoted(self.stream.column_in(c, there) or c)} as {self.stream.columns[c].type}) as {quoted(c)}"
            for c in self.stream.key
        )
        return f"select {listed} from read_parquet({file})"

    def _same_key(self, left: str, right: str) -> str:
        return " and ".join(f"{left}.{quoted(c)} = {right}.{quoted(c)}" for c in self.stream.key)

    def _count(self, what: str) -> int:
        row = self.con.execute(f"select count(*) from {what}").fetchone()
        assert row is not None
        return row[0]


def _literal(value: str | None) -> str:
    return "null" if value is None else literal(str(value))
