"""The rows behind published numbers, before and now, and why each of them changed: all set-based, in DuckDB.

The way from definition and rows then to definition and rows now is walked in one order, so the amounts of its steps
add up: first the definition (the new one over the old rows), then keys that changed hands (the old amounts under the
new member), then every other change of a row, which has one cause per source row.

Rows come from the marts by the trace plan, not through the compiler: a second route, as in `tieout trace`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tieout.engine import literal, quoted, relations
from tieout.metrics.trace import Plan, plan_from_json

if TYPE_CHECKING:
    import duckdb

    from tieout.metrics.restate_lineage import Origin

BEFORE, NOW = "restate_before", "restate_now"
# In the order in which they are walked; what no cause is found for closes the sum.
CAUSES = (
    "definition", "merge_or_split", "model", "repair", "source_edit", "deletion", "late_row", "new_source",
    "new_period", "unexplained",
)  # fmt: skip
_KEY = "source_system, source_stream, record"


@dataclass(frozen=True)
class Moved:
    """What of the two publishes is compared: metrics by name with their plan then and now (None: not there)."""

    before: Mapping[str, Plan]
    now: Mapping[str, Plan]
    redefined: frozenset[str]

    def bases(self, name: str) -> set[str]:
        """The metrics with rows of their own that `name` was or is computed from."""
        found: set[str] = set()
        for plans in (self.before, self.now):
            plan = plans.get(name)
            if plan is None:
                continue
            if plan.kind != "formula":
                found.add(name)
            for item in plan.inputs:
                found |= self.bases(item.metric)
        return found


def plans(con: duckdb.DuckDBPyConnection, database: str) -> dict[str, Plan]:
    """Trace plans of an attached publish."""
    rows = con.execute(f"select metric_name, plan from {database}.metrics.trace_plan").fetchall()
    return {name: plan_from_json(json.loads(text)) for name, text in rows}


def empty_rows(con: duckdb.DuckDBPyConnection) -> None:
    """The temp tables that `changed_rows` fills, empty."""
    con.execute(
        "create or replace temp table base_cell"
        " (metric_name text, dim_set text, dims text, month date, amount decimal(38, 8))"
    )
    con.execute(
        "create or replace temp table base_delta (metric_name text, dim_set text, dims text, month date,"
        " cause text, amount decimal(38, 8), row_count bigint, evidence text[])"
    )
    con.execute(
        "create or replace temp table changed_key"
        " (metric_name text, source_system text, source_stream text, record text)"
    )


def changed_rows(
    con: duckdb.DuckDBPyConnection,
    moved: Moved,
    wanted: Mapping[str, set[str]],
    keys: Mapping[tuple[str, str], Sequence[str]],
    origins: Mapping[str, Origin],
) -> list[str]:
    """Fill temp tables `base_cell` (what the old rows made) and `base_delta` (what changed, by cause).

    Args:
        wanted: Base metric → dimension sets in which its numbers are needed.
        keys: Key columns of each (source, stream).
        origins: Of the relations the plans read.

    Returns: one line for each metric whose rows cannot be compared, and why.
    """
    empty_rows(con)
    notes, frames = [], []
    for number, (name, dim_sets) in enumerate(sorted(wanted.items())):
        frame = _Frame(con, number, name, sorted(dim_sets), moved)
        try:
            frame.read()
        except _Incomparable as error:
            notes.append(f"{name}: {error}")
            continue
        frames.append(frame)
    _statuses(con, keys, _indirect(con, frames, origins))
    for frame in frames:
        frame.add_up()
    return notes


class _Incomparable(Exception):
    """The rows then cannot be put beside the rows now."""


class _Frame:
    """The rows of one base metric: then, then under today's definition, and now."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, number: int, name: str, dim_sets: Sequence[str], moved: Moved
    ) -> None:
        self.con, self.name, self.dim_sets = con, name, dim_sets
        self.old, self.new = moved.before.get(name), moved.now.get(name)
        self.redefined = name in moved.redefined
        self.dimensions = sorted({part for item in dim_sets for part in _parts(item)})
        self.rows, self.delta, self.walked = (f"restate_{kind}_{number}" for kind in ("rows", "delta", "by"))

    @property
    def members(self) -> str:
        return "".join(f", m{place}" for place in range(len(self.dimensions)))

    @property
    def relations(self) -> set[str]:
        found = set()
        for plan in (self.old, self.new):
            if plan:
                joined = {plan.joins[name].relation for name in self.dimensions if name in plan.joins}
                found |= {plan.relation, plan.snapshot, *(item or "" for item in joined)}
        return found - {""}

    def read(self) -> None:
        """Rows of all sides, and the keys whose rows differ between then and now under today's definition."""
        import duckdb

        sides = {"then": (BEFORE, self.old), "now": (NOW, self.new)}
        if self.redefined:
            sides["redefined"] = (BEFORE, self.new)
        try:
            parts = [
                self._side(side, database, plan)
                for side, (database, plan) in sides.items()
                if plan is not None
            ]
            self.con.execute(f"create or replace temp table {self.rows} as {' union all '.join(parts)}")
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            first = str(error).splitlines()[0]
            raise _Incomparable(f"its rows cannot be read in both publishes ({first})") from error
        then = "redefined" if self.redefined else "then"
        self.con.execute(
            f"""
            create or replace temp table {self.delta} as
            select {_KEY}, month{self.members}, sum(case side when 'now' then amount else -amount end) as amount
            from {self.rows} where side in ('{then}', 'now') group by all having amount <> 0
            """
        )
        self.con.execute(
            f"insert into changed_key select distinct {literal(self.name)}, {_KEY} from {self.delta}"
        )

    def _side(self, side: str, database: str, plan: Plan) -> str:
        """Select: one row per source row, month and members."""
        columns, joins, outputs = [], [], []
        for place, name in enumerate(self.dimensions):
            join = plan.joins.get(name)
            if join is None:
                raise _Incomparable(f"{name} was or is no dimension of it")
            if join.relation is None:
                columns.append(f"cast(({join.expr}) as text) as _m{place}")
                outputs.append(f"fact._m{place} as m{place}, cast(null as text) as k{place}")
                continue
            columns.append(f"cast(({join.foreign_key}) as text) as _k{place}")
            joins.append(
                f"left join (select cast(({join.primary_key}) as text) as _key, cast(({join.expr}) as text) as _member"
                f" from {database}.{join.relation}) as d{place} on fact._k{place} = d{place}._key"
            )
            outputs.append(f"d{place}._member as m{place}, fact._k{place} as k{place}")
        month, condition = "cast(date_trunc('month', fact._time) as date)", "fact._amount is not null"
        if plan.kind == "last":
            # A movement counts from the first month whose last day in the snapshot is not before it.
            days = (
                f"(select cast(date_trunc('month', {plan.snapshot_day}) as date) as first,"
                f" max({plan.snapshot_day}) as last from {database}.{plan.snapshot} group by 1)"
            )
            if plan.relation == plan.snapshot:
                joins.append(f"join {days} as days on fact._time = days.last")
            else:
                joins.append(f"asof join {days} as days on fact._time <= days.last")
            month = "days.first"
        listed = ", ".join(["*", f"({plan.amount}) as _amount", f"({plan.time}) as _time", *columns])
        return f"""
            select '{side}' as side, fact.source_system, fact.source_stream,
                cast(fact.source_record as text) as record, {month} as month{"".join(f", {item}" for item in outputs)},
                cast(sum(fact._amount) as decimal(38, 8)) as amount
            from (select {listed} from {database}.{plan.relation}) as fact {" ".join(joins)}
            where {condition} group by all
        """

    def add_up(self) -> None:
        """Give every changed row its cause, then add up by number."""
        then = "redefined" if self.redefined else "then"
        self._walk(then)
        for dim_set in self.dim_sets:
            pairs = ", ".join(f"{literal(part)}, m{self.dimensions.index(part)}" for part in _parts(dim_set))
            dims = f"cast(json_object({pairs}) as text)" if pairs else "'{}'"
            head = f"select {literal(self.name)}, {literal(dim_set)}, {dims}, month"
            self.con.execute(
                f"insert into base_cell {head}, sum(amount) from {self.rows} where side = 'then' group by all"
            )
            evidence = (
                "list_slice(list(source_system || '.' || source_stream || ':' || record"
                " order by abs(amount) desc, record), 1, 5)"
            )
            self.con.execute(
                f"insert into base_delta {head}, cause, sum(amount), count(distinct ({_KEY})), {evidence}"
                f" from {self.walked} group by all having sum(amount) <> 0"
            )

    def _walk(self, then: str) -> None:
        """Temp table: amount by cause, source row, month and members."""
        count = len(self.dimensions)
        steps = []
        if self.redefined:
            steps.append(
                f"select 'definition' as cause, {_KEY}, month{self.members},"
                f" sum(case side when 'redefined' then amount else -amount end) as amount from {self.rows}"
                f" where side in ('then', 'redefined') group by all having amount <> 0"
            )
        info = "".join(
            f", min(k{i}) filter (side = '{then}') as ok{i}, min(k{i}) filter (side = 'now') as nk{i}"
            f", min(m{i}) filter (side = 'now') as nm{i}"
            f", count(distinct k{i}) filter (side = '{then}') = 1 and count(distinct k{i}) filter (side = 'now') = 1"
            f" and count(distinct m{i}) filter (side = 'now') = 1"
            f" and min(m{i}) filter (side = 'now') is distinct from min(m{i}) filter (side = '{then}') as one{i}"
            for i in range(count)
        )
        handed = [
            f"one{i} and exists (from moved_key where (old_key = ok{i} and new_key = nk{i})"
            f" or (ok{i} = nk{i} and (old_key = ok{i} or new_key = ok{i})))"
            for i in range(count)
        ]
        rekeyed = "".join(f", case when h{i} then nm{i} else m{i} end as m{i}" for i in range(count))
        flags = "".join(f", {condition} as h{i}" for i, condition in enumerate(handed))
        new_members = "".join(f", nm{i}, h{i}" for i in range(count))
        self.con.execute(
            f"""
            create or replace temp table {self.walked}_key as
            select {_KEY}{new_members} from (
                select *{flags} from (
                    select {_KEY}{info} from {self.rows}
                    semi join (select distinct {_KEY} from {self.delta}) using ({_KEY})
                    where side in ('{then}', 'now') group by all
                )
            )
            """
        )
        steps.append(
            f"""
            select cause, {_KEY}, month{self.members}, sum(amount) as amount from (
                select 'merge_or_split' as cause, {_KEY}, month{self.members}, -amount as amount
                from {self.rows} semi join {self.walked}_key using ({_KEY}) where side = '{then}'
                union all
                select 'merge_or_split', {_KEY}, month{rekeyed}, amount
                from {self.rows} join {self.walked}_key using ({_KEY}) where side = '{then}'
            ) group by all having sum(amount) <> 0
            """
        )
        status = "any_value(status.cause)"
        steps.append(
            f"""
            select case when {status} <> 'first_seen' then {status}
                when last_day(month) > (select cut_off from restate_span) then 'new_period' else 'late_row' end,
                {_KEY}, month{self.members}, sum(amount) as amount
            from (
                select {_KEY}, month{rekeyed}, -amount as amount
                from {self.rows} join {self.walked}_key using ({_KEY}) where side = '{then}'
                union all
                select {_KEY}, month{self.members}, amount
                from {self.rows} semi join {self.walked}_key using ({_KEY}) where side = 'now'
            ) left join (from key_status where metric_name = {literal(self.name)}) as status using ({_KEY})
            group by {_KEY}, month{self.members} having sum(amount) <> 0
            """
        )
        self.con.execute(
            f"create or replace temp table {self.walked} as {' union all '.join(f'({step})' for step in steps)}"
        )


def _parts(dim_set: str) -> list[str]:
    return [] if dim_set == "all" else dim_set.split(",")


# --- why a source row changed ---------------------------------------------------------------------


def _indirect(
    con: duckdb.DuckDBPyConnection, frames: Iterable[_Frame], origins: Mapping[str, Origin]
) -> dict[str, str]:
    """Why rows of each metric changed whose own source row did not: what else they are made of did."""
    known = dict(con.execute("select relation, version from ops.known_model").fetchall())
    streams = {
        f"{source}.{stream}"
        for source, stream in con.execute(
            "select distinct source, stream from ops.batch anti join ops.known_batch using (source, stream, batch_id)"
            " where rows_loaded + rows_deleted > 0"
        ).fetchall()
    }
    project = con.execute("select project_changed from restate_span").fetchone() == (True,)
    keys = con.execute("select exists (from moved_key)").fetchone() == (True,)
    found = {}
    for frame in frames:
        read = [origins[name] for name in frame.relations if name in origins]
        other_sql = any(
            name in origins and name in known and known[name] != origins[name].version
            for name in frame.relations
        )
        edited = any(streams & item.streams for item in read)
        if other_sql:
            found[frame.name] = "model"
        elif edited:
            found[frame.name] = "source_edit"
        elif keys:
            found[frame.name] = "merge_or_split"
        elif project:
            found[frame.name] = "model"
        else:
            found[frame.name] = "source_edit" if streams else "unexplained"
    return found


def _statuses(
    con: duckdb.DuckDBPyConnection,
    keys: Mapping[tuple[str, str], Sequence[str]],
    indirect: Mapping[str, str],
) -> None:
    """Temp table `key_status`: the cause of every changed source row, by its own versions in the raw tables."""
    con.execute(
        "create or replace temp table own_status (source_system text, source_stream text, record text, cause text)"
    )
    there = relations(con)
    for system, stream in con.execute(
        "select distinct source_system, source_stream from changed_key"
    ).fetchall():
        history = f"raw_{system}.{stream}__history"
        if (system, stream) not in keys or history not in there:
            continue
        key = " || '|' || ".join(f"cast({quoted(column)} as text)" for column in keys[system, stream])
        here = f"source = {literal(system)} and stream = {literal(stream)}"
        con.execute(
            f"""
            insert into own_status
            with wanted as (
                select distinct record from changed_key
                where source_system = {literal(system)} and source_stream = {literal(stream)}
            ),
            versions as (
                select {key} as record, _batch_id, _loaded_at, _hash, _is_deleted, _is_current
                from {quoted("raw_" + system)}.{quoted(stream + "__history")}
                where {key} in (select record from wanted)
            ),
            old as (
                select record, arg_max(_hash, _batch_id) as hash, arg_max(_is_deleted, _batch_id) as gone
                from versions
                where _batch_id in (select batch_id from ops.known_batch where {here}) group by record
            ),
            new as (
                select record, any_value(_hash) as hash, bool_and(_is_deleted) as gone
                from versions where _is_current group by record
            ),
            first as (select record, min(_loaded_at) as seen from versions group by record),
            aside as (select distinct record_key as record from ops.known_aside where {here}),
            still as (select distinct record_key as record from ops.quarantine_open where {here})
            select {literal(system)}, {literal(stream)}, record,
                case
                    when aside.record is not null and still.record is null then 'repair'
                    when aside.record is null and still.record is not null and coalesce(new.gone, true) then 'repair'
                    when old.record is null and new.record is not null and not (select exists (from ops.known_batch where {here}))
                    then 'new_source'
                    -- It had landed before, and was let in only now.
                    when old.record is null and first.seen <= (select published_at from restate_span) then 'repair'
                    when old.record is null and new.record is not null then 'first_seen'
                    when old.record is null then null
                    when not old.gone and coalesce(new.gone, true) then 'deletion'
                    when old.hash <> new.hash or old.gone <> new.gone then 'source_edit'
                end
            from wanted left join old using (record) left join new using (record) left join first using (record)
            left join aside using (record) left join still using (record)
            """
        )
    listed = ", ".join(f"({literal(name)}, {literal(cause)})" for name, cause in indirect.items())
    other = f"(select * from (values {listed}) as t(metric_name, cause))" if listed else None
    con.execute(
        "create or replace temp table key_status as select k.*, coalesce(own.cause"
        + (", other.cause" if other else "")
        + ", 'unexplained') as cause from changed_key as k"
        + f" left join own_status as own using ({_KEY})"
        + (f" left join {other} as other using (metric_name)" if other else "")
    )
