"""The restatement ledger: every number that was published, and why it is another one now.

After each publish the months and totals of `metrics.metric_values` are compared with those published last. What moved
gets lines in `ops.restatement`, one per cause, that add up to the movement to the last digit; whatever no cause is found
for closes the sum as `unexplained`. `ops.published_number` holds every value with the publishes it was true for.

- A number of a period that was published for the first time is growth (`new_period`), not a restatement.
- A balance moves by all its rows up to the end of the period, in every later period too.
- A formula is computed along the same way as its inputs, cause by cause: each step's amount is what it changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.engine import constants, literal, quoted, relations
from tieout.metrics.errors import MetricError
from tieout.metrics.restate_lineage import Origin, origins
from tieout.metrics.restate_rows import BEFORE, CAUSES, NOW, Moved, changed_rows, empty_rows, plans
from tieout.metrics.trace import Plan

if TYPE_CHECKING:
    import duckdb

GROWTH = ("new_period", "new_source")
# What people compare with last month's paper; finer grains are the same rows again.
GRAINS = ("month", "all")

_TABLES = {
    "number_publish": """
        publish_id text primary key, previous_id text, published_at timestamptz not null, numbers bigint not null,
        moved bigint not null, restated bigint not null, unexplained bigint not null""",
    "published_number": """
        metric_name text not null, time_grain text not null, dim_set text not null, period_start date,
        dims text not null, value decimal(38, 8), unit text, currency_code text, definition_version text,
        publish_from text not null, publish_to text""",
    "restatement": """
        publish_id text not null, previous_id text not null, metric_name text not null, time_grain text not null,
        dim_set text not null, period_start date, dims text not null, value_before decimal(38, 8),
        value_after decimal(38, 8), cause text not null, amount decimal(38, 8) not null, row_count bigint,
        evidence text, note text""",
    # What the last recorded publish knew: batches, keys of records, rows set aside, the SQL of marts.
    "known_batch": "source text not null, stream text not null, batch_id text not null",
    "known_key": "entity text not null, record_id text not null, master_key text",
    "known_aside": "source text not null, stream text not null, record_key text",
    "known_model": "relation text primary key, version text not null",
}
_NUMBER = "metric_name, time_grain, dim_set, period_start, dims"
_SAME = " and ".join(f"was.{column} is not distinct from now.{column}" for column in _NUMBER.split(", "))


@dataclass(frozen=True)
class Recorded:
    """What one publish did to the numbers of the one before: `restated` of the `moved` ones are no growth."""

    publish_id: str
    previous_id: str | None
    numbers: int
    moved: int
    restated: int
    unexplained: int

    def __str__(self) -> str:
        left = (
            f", {self.unexplained:,} of them with an amount no cause is found for" if self.unexplained else ""
        )
        return f"{self.restated:,} published numbers moved since {self.previous_id}{left}: `tieout metrics restated`"


@dataclass(frozen=True)
class Line:
    """One number that moved between two publishes, and the part of it that has this cause."""

    publish_id: str
    previous_id: str
    metric: str
    grain: str
    dim_set: str
    period: str
    dims: str
    before: Decimal | None
    after: Decimal | None
    cause: str
    amount: Decimal
    rows: int | None
    evidence: str
    note: str


def record(
    con: duckdb.DuckDBPyConnection,
    snapshots: Path,
    publish_id: str,
    *,
    keys: Mapping[tuple[str, str], Sequence[str]],
    manifest: Path | None = None,
) -> Recorded:
    """Enter a publish into the ledger; a publish that is in it already is left alone.

    Everything happens in one transaction, so a kill leaves the publish in the ledger or not; the next one compares with
    the last that is.

    Args:
        con: The warehouse, writable, no transaction open.
        snapshots: The folder of published files; those of this publish and the last recorded one are compared.
        keys: Key columns by (source, stream).
        manifest: dbt's manifest of the project as it was built.
    """
    con.execute("create schema if not exists ops")
    for name, columns in _TABLES.items():
        con.execute(f"create table if not exists ops.{name} ({columns})")
    known = recorded(con, publish_id)
    if known is not None:
        return known
    row = con.execute(
        "select publish_id from ops.number_publish order by published_at desc, publish_id desc limit 1"
    ).fetchone()
    previous = str(row[0]) if row else None
    attached = []
    try:
        for name, publish in ((NOW, publish_id), (BEFORE, previous)):
            file = snapshots / f"tieout-{publish}.duckdb"
            if publish and (file.is_file() or name == NOW):
                con.execute(f"attach {literal(str(file))} as {name} (read_only)")
                attached.append(name)
        con.execute("begin")
        try:
            found = _record(con, publish_id, previous, BEFORE in attached, keys, manifest)
            con.execute("commit")
        except BaseException:
            con.execute("rollback")
            raise
    finally:
        for name in attached:
            con.execute(f"detach {name}")
    return found


def recorded(con: duckdb.DuckDBPyConnection, publish_id: str) -> Recorded | None:
    """The ledger's word on a publish, None if it is not in it."""
    row = con.execute(
        "select publish_id, previous_id, numbers, moved, restated, unexplained from ops.number_publish"
        f" where publish_id = {literal(publish_id)}"
    ).fetchone()
    return Recorded(*row) if row else None


def _record(
    con: duckdb.DuckDBPyConnection,
    publish_id: str,
    previous: str | None,
    comparable: bool,
    keys: Mapping[tuple[str, str], Sequence[str]],
    manifest: Path | None,
) -> Recorded:
    con.execute(
        f"""
        create or replace temp table restate_number as
        select {", ".join(f"v.{column}" for column in _NUMBER.split(", "))}, v.value, v.unit, v.currency_code,
            c.definition_version
        from {NOW}.metrics.metric_values as v left join {NOW}.metrics.metric_catalog as c using (metric_name)
        where time_grain in ({", ".join(map(literal, GRAINS))})
        """
    )
    made_of: dict[str, Origin] = {}
    if manifest is not None:
        made_of = origins(manifest, _relations(plans(con, NOW).values()))
    if previous is not None:
        _compare(con, publish_id, previous)
        if con.execute("select exists (from restate_moved)").fetchone() == (True,):
            if comparable:
                _explain(con, keys, made_of)
            else:
                _without_rows(con, previous)
            _write(con, publish_id, previous)
    else:
        con.execute(
            f"insert into ops.published_number select {_NUMBER}, value, unit, currency_code, definition_version,"
            f" {literal(publish_id)}, null from restate_number"
        )
    _remember(con, made_of)
    at = f"coalesce((select published_at from ops.publish where publish_id = {literal(publish_id)}), now())"
    count = "(select count(*) from restate_moved where not first)" if previous else "0"
    of_publish = f"from ops.restatement where publish_id = {literal(publish_id)}"
    restated = f"(select count(distinct ({_NUMBER})) {of_publish} and cause not in {GROWTH})"
    left = f"(select count(distinct ({_NUMBER})) {of_publish} and cause = 'unexplained')"
    con.execute(
        f"insert into ops.number_publish select {constants(publish_id, previous)}, {at},"
        f" (select count(*) from restate_number), {count}, {restated}, {left}"
    )
    found = recorded(con, publish_id)
    assert found is not None
    return found


def _relations(found: Iterable[Plan]) -> set[str]:
    return {
        relation
        for plan in found
        for relation in (plan.relation, plan.snapshot, *(join.relation for join in plan.joins.values()))
        if relation
    }


def _compare(con: duckdb.DuckDBPyConnection, publish_id: str, previous: str) -> None:
    """Temp tables: `restate_moved`, numbers that are not as they were; `restate_line`, empty; `restate_span`."""
    con.execute(
        f"""
        create or replace temp table restate_moved as
        with was as (from ops.published_number where publish_to is null),
        months as (select metric_name, max(period_start) as last from was group by metric_name),
        sets as (select distinct metric_name, time_grain, dim_set, from was),
        paired as (
            select {", ".join(f"coalesce(was.{c}, now.{c}) as {c}" for c in _NUMBER.split(", "))},
                was.value as value_before, now.value as value_after,
                was.metric_name is not null as was_there, now.metric_name is not null as is_there,
                was.unit as old_unit, now.unit as unit, was.currency_code as old_currency, now.currency_code,
                was.definition_version as old_version, now.definition_version
            from was full join restate_number as now on {_SAME}
            where was.metric_name is null or now.metric_name is null or was.value is distinct from now.value
                or was.unit is distinct from now.unit or was.currency_code is distinct from now.currency_code
        )
        select row_number() over () as id, paired.*,
            -- A metric or a way to split it that nobody had seen: there is no number that it could restate.
            sets.metric_name is null as first,
            not was_there and coalesce(paired.period_start > months.last, false) as growth,
            kept.metric_name is null as gone,
            not (first or growth or gone) as explained
        from paired left join sets using (metric_name, time_grain, dim_set) left join months using (metric_name)
        left join {NOW}.metrics.compiled_query as kept using (metric_name, time_grain, dim_set)
        """
    )
    con.execute(
        "create or replace temp table restate_line"
        " (id bigint, cause text, amount decimal(38, 8), row_count bigint, evidence text[], note text)"
    )
    con.execute("create or replace temp table restate_kind (metric_name text, kind text)")
    empty_rows(con)
    con.execute(
        f"""
        create or replace temp table restate_span as
        select
            (select published_at from ops.number_publish where publish_id = {literal(previous)}) as published_at,
            coalesce(
                (select business_cut_off from ops.certificate where publish_id = {literal(previous)}),
                (select max(period_start) - 1 from ops.published_number where publish_to is null)
            ) as cut_off,
            (select count(distinct definition_version) > 1 from ops.certificate
             where publish_id in ({constants(publish_id, previous)})) as project_changed
        """
    )
    con.execute(
        """
        insert into restate_line
        select id, 'new_period', coalesce(value_after, 0), null, [], null from restate_moved where growth and not first
        """
    )


def _explain(
    con: duckdb.DuckDBPyConnection,
    keys: Mapping[tuple[str, str], Sequence[str]],
    made_of: Mapping[str, Origin],
) -> None:
    """Lines for every number that moved and is no growth, out of the rows of both publishes."""
    rows = con.execute("select distinct metric_name, dim_set from restate_moved where explained").fetchall()
    redefined = con.execute(
        f"select metric_name from {NOW}.metrics.metric_catalog as now"
        f" left join {BEFORE}.metrics.metric_catalog as was using (metric_name)"
        " where was.definition_version is distinct from now.definition_version"
    ).fetchall()
    moved = Moved(plans(con, BEFORE), plans(con, NOW), frozenset(name for (name,) in redefined))
    wanted: dict[str, set[str]] = {}
    for name, dim_set in rows:
        for base in moved.bases(name):
            wanted.setdefault(base, set()).add(dim_set)
    _moved_keys(con)
    notes = changed_rows(con, moved, wanted, keys, made_of)
    _lines_of_rows(con, moved)
    _lines_of_formulas(con, moved, sorted({name for name, _ in rows}))
    _close(con, "; ".join(notes))


def _moved_keys(con: duckdb.DuckDBPyConnection) -> None:
    """Temp table: master keys that records went from and to since the last recorded publish."""
    there = "master.crosswalk" in relations(con)
    con.execute(
        "create or replace temp table moved_key as "
        + (
            "select distinct was.master_key as old_key, now.master_key as new_key from ops.known_key as was"
            " join master.crosswalk as now using (entity, record_id) where was.master_key <> now.master_key"
            if there
            else "select '' as old_key, '' as new_key where false"
        )
    )


def _lines_of_rows(con: duckdb.DuckDBPyConnection, moved: Moved) -> None:
    kinds = {name: plan.kind for found in (moved.before, moved.now) for name, plan in found.items()}
    con.execute(
        "insert into restate_kind values "
        + ", ".join(f"({constants(name, kind)})" for name, kind in kinds.items())
    )
    con.execute(
        f"""
        insert into restate_line
        select m.id, d.cause, sum(d.amount), sum(d.row_count), {_EVIDENCE}, null
        from restate_moved as m join restate_kind as k using (metric_name)
        join base_delta as d using (metric_name, dim_set, dims)
        where m.explained and {_IN_PERIOD}
        group by m.id, d.cause having sum(d.amount) <> 0
        """
    )


# Which months of rows a number is made of.
_IN_PERIOD = (
    "(m.time_grain = 'all' or d.month = m.period_start or (k.kind <> 'rows' and d.month <= m.period_start))"
)
_EVIDENCE = "list_slice(list_distinct(flatten(list(d.evidence order by abs(d.amount) desc))), 1, 5)"


def _lines_of_formulas(con: duckdb.DuckDBPyConnection, moved: Moved, names: Sequence[str]) -> None:
    """Every formula at every step of the way of its inputs."""
    for name in names:
        plan = moved.now.get(name)
        if plan is None or plan.kind != "formula":
            continue
        bases = ", ".join(map(literal, sorted(moved.bases(name)))) or "''"
        steps = {
            cause
            for (cause,) in con.execute(
                f"select distinct cause from base_delta where metric_name in ({bases})"
            ).fetchall()
        }
        if name in moved.redefined:
            steps.add("definition")
        walk = [cause for cause in CAUSES if cause in steps]
        numbers = f"(from restate_moved where metric_name = {literal(name)} and explained)"
        order = " ".join(f"when {literal(cause)} then {place}" for place, cause in enumerate(walk, start=1))
        parts = [
            f"""
            select m.id, {columns}
            from {numbers} as m join {table} as d on d.dim_set = m.dim_set and d.dims = m.dims
            join restate_kind as k on k.metric_name = d.metric_name
            where d.metric_name in ({bases}) and {_IN_PERIOD}
            """
            for table, columns in (
                ("base_cell", "d.metric_name as base, 0 as step, d.amount"),
                *(
                    [("base_delta", f"d.metric_name as base, case d.cause {order} end as step, d.amount")]
                    if walk
                    else []
                ),
            )
        ]
        con.execute(f"create or replace temp table restate_part as {' union all '.join(parts)}")
        con.execute(
            f"create or replace temp table restate_grid as select id, unnest(range({len(walk) + 1})) as step from {numbers}"
        )
        con.execute(
            """
            create or replace temp table restate_state as
            select g.id, g.step, p.base, sum(p.amount) as value
            from restate_grid as g join restate_part as p on p.id = g.id and p.step <= g.step group by all
            """
        )
        before = (
            _formula(name, moved.before)
            if name in moved.before
            else "select id, step, null as value from restate_grid"
        )
        con.execute(
            f"""
            create or replace temp table restate_value as
            select id, step, cast(value as decimal(38, 8)) as value from ({before}) where step = 0
            union all
            select id, step, cast(value as decimal(38, 8)) from ({_formula(name, moved.now)}) where step > 0
            """
        )
        listed = (
            ", ".join(f"({place}, {literal(cause)})" for place, cause in enumerate(walk, start=1))
            or "(0, '')"
        )
        con.execute(
            f"""
            insert into restate_line
            with walked as (
                select id, step, coalesce(value, 0) - lag(coalesce(value, 0)) over (partition by id order by step) as amount
                from restate_value
            ),
            rows_of as (
                select m.id, d.cause, sum(d.row_count) as row_count, {_EVIDENCE} as evidence
                from {numbers} as m join base_delta as d on d.dim_set = m.dim_set and d.dims = m.dims
                join restate_kind as k on k.metric_name = d.metric_name
                where d.metric_name in ({bases}) and {_IN_PERIOD} group by all
            )
            select w.id, s.cause, w.amount, r.row_count, coalesce(r.evidence, []), null
            from walked as w join (values {listed}) as s(step, cause) using (step)
            left join rows_of as r on r.id = w.id and r.cause = s.cause
            where w.amount <> 0
            """
        )


def _formula(name: str, plans_: Mapping[str, Plan]) -> str:
    """Select id, step, value of a metric, over `restate_state`."""
    plan = plans_[name]
    if plan.kind != "formula":
        return f"select id, step, value from restate_state where base = {literal(name)}"
    columns, joins = [], []
    for place, item in enumerate(plan.inputs):
        columns.append(f"cast(i{place}.value as decimal(38, 8)) as {quoted(item.alias)}")
        joins.append(f"left join ({_formula(item.metric, plans_)}) as i{place} using (id, step)")
    return (
        f"select id, step, ({plan.expr}) as value"
        f" from (select id, step, {', '.join(columns)} from restate_grid {' '.join(joins)}) as inputs"
    )


def _close(con: duckdb.DuckDBPyConnection, note: str) -> None:
    """Lines that make every number's causes add up to its movement."""
    con.execute(
        """
        insert into restate_line
        select id, 'definition', -coalesce(value_before, 0), null, [], 'the metric, or this way to split it, is gone'
        from restate_moved where gone
        """
    )
    con.execute(
        """
        insert into restate_line
        select id, 'definition', 0, null, [], 'unit ' || old_unit || ' → ' || unit
        from restate_moved where was_there and is_there and value_before is not distinct from value_after
        """
    )
    # A balance ends with the last day anything moved: where that day went, so did the balances after it.
    con.execute(
        f"""
        insert into restate_line
        select id, cause, rest, null, [], 'nothing moved that late any more'
        from ({_REST}) join (
            select metric_name, arg_max(cause, abs(amount)) as cause from base_delta group by metric_name
        ) using (metric_name) join restate_kind using (metric_name)
        where explained and not is_there and time_grain = 'month' and kind in ('running', 'last')
        """
    )
    con.execute(
        f"insert into restate_line select id, 'unexplained', rest, null, [], nullif({literal(note)}, '') from ({_REST})"
    )


# What the lines of a number leave of its movement.
_REST = """
    select m.*, coalesce(value_after, 0) - coalesce(value_before, 0) - coalesce(l.amount, 0) as rest
    from restate_moved as m left join (select id, sum(amount) as amount from restate_line group by id) as l using (id)
    where not first and rest <> 0
"""


def _without_rows(con: duckdb.DuckDBPyConnection, previous: str) -> None:
    """Causes as far as they can be told without the rows of the last publish."""
    con.execute(
        """
        insert into restate_line
        select id, 'definition', coalesce(value_after, 0) - coalesce(value_before, 0), null, [],
            'nothing was loaded since; only the definition is another one'
        from restate_moved where not first and not growth and old_version <> definition_version
            and not exists (
                from ops.batch anti join ops.known_batch using (source, stream, batch_id)
                where rows_loaded + rows_deleted > 0
            )
        """
    )
    _close(con, f"the snapshot of {previous} is gone")


def _write(con: duckdb.DuckDBPyConnection, publish_id: str, previous: str) -> None:
    con.execute(
        f"""
        insert into ops.restatement
        select {constants(publish_id, previous)}, {", ".join(f"m.{c}" for c in _NUMBER.split(", "))},
            m.value_before, m.value_after, l.cause, sum(l.amount), sum(l.row_count),
            array_to_string(list_slice(list_distinct(flatten(list(l.evidence))), 1, 5), ', '), max(l.note)
        from restate_moved as m join restate_line as l using (id) group by all
        """
    )
    con.execute(
        f"update ops.published_number as was set publish_to = {literal(publish_id)} from restate_moved as now"
        f" where was.publish_to is null and now.was_there and {_SAME}"
    )
    con.execute(
        f"""
        insert into ops.published_number
        select {_NUMBER}, value_after, unit, currency_code, definition_version, {literal(publish_id)}, null
        from restate_moved where is_there
        """
    )


def _remember(con: duckdb.DuckDBPyConnection, made_of: Mapping[str, Origin]) -> None:
    """What the next publish is compared with."""
    con.execute(
        "insert into ops.known_batch select source, stream, batch_id from ops.batch"
        " anti join ops.known_batch using (source, stream, batch_id)"
    )
    con.execute("delete from ops.known_aside")
    con.execute("insert into ops.known_aside select source, stream, record_key from ops.quarantine_open")
    if "master.crosswalk" in relations(con):
        con.execute("delete from ops.known_key")
        con.execute("insert into ops.known_key select entity, record_id, master_key from master.crosswalk")
    con.execute("delete from ops.known_model")
    if made_of:
        listed = ", ".join(f"({constants(name, origin.version)})" for name, origin in made_of.items())
        con.execute(f"insert into ops.known_model values {listed}")


# --- what the ledger says -------------------------------------------------------------------------


class NoLedger(MetricError):
    """Nothing was published since this installation keeps its numbers."""


def lines(
    con: duckdb.DuckDBPyConnection,
    metric: str | None = None,
    *,
    since: str | None = None,
    period: str | None = None,
    by: str | None = None,
    growth: bool = False,
) -> list[Line]:
    """Lines of the ledger, newest publish first.

    Args:
        since: Publish id; only what moved after it.
        period: `2025-11`; only that month.
        by: A dimension set as `metric_values` names it; None: every one.
        growth: Also numbers of periods and sources that were published for the first time.

    Raises: NoLedger, UnknownName.
    """
    publishes = _publishes(con)
    conditions = ["true"]
    if metric:
        _known_metric(con, metric)
        conditions.append(f"metric_name = {literal(metric)}")
    if since:
        if since not in publishes:
            from tieout.metrics.errors import unknown

            raise unknown("publish", since, publishes)
        conditions.append(
            f"p.published_at > (select published_at from ops.number_publish where publish_id = {literal(since)})"
        )
    if period:
        conditions.append(f"period_start = {_first_day(period)}")
    if by is not None:
        conditions.append(f"dim_set = {literal(by)}")
    if not growth:
        conditions.append(f"cause not in {GROWTH}")
    rows = con.execute(
        f"""
        select r.publish_id, r.previous_id, metric_name, time_grain, dim_set,
            coalesce(strftime(period_start, '%Y-%m'), 'all'), dims, value_before, value_after, cause, amount,
            row_count, coalesce(evidence, ''), coalesce(note, '')
        from ops.restatement as r join ops.number_publish as p using (publish_id)
        where {" and ".join(conditions)}
        order by p.published_at desc, metric_name, dim_set, period_start nulls last, dims, abs(amount) desc, cause
        """
    ).fetchall()
    return [Line(*row) for row in rows]


@dataclass(frozen=True)
class Published:
    """One value of one number, and the publishes it was true from and up to (None: still)."""

    metric: str
    period: str
    dims: str
    value: Decimal | None
    unit: str | None
    definition_version: str | None
    publish_from: str
    publish_to: str | None


def published_values(
    con: duckdb.DuckDBPyConnection,
    metric: str,
    period: str | None,
    by: str = "all",
    member: str | None = None,
) -> list[Published]:
    """Every value a number ever had.

    Args:
        period: `2025-11`; None: over all time.
        by: Dimension set as `metric_values` names it.
        member: Only dims that hold this value.

    Raises: NoLedger, UnknownName.
    """
    _publishes(con)
    _known_metric(con, metric)
    conditions = [f"metric_name = {literal(metric)}", f"dim_set = {literal(by)}"]
    conditions.append(
        f"period_start = {_first_day(period)}" if period else "time_grain = 'all' and period_start is null"
    )
    if member is not None:
        conditions.append(
            f"list_contains(cast(json_extract_string(dims, '$.*') as text[]), {literal(member)})"
        )
    rows = con.execute(
        f"""
        select metric_name, coalesce(strftime(period_start, '%Y-%m'), 'all'), dims, value, unit,
            n.definition_version, publish_from, publish_to
        from ops.published_number as n join ops.number_publish as p on p.publish_id = n.publish_from
        where {" and ".join(conditions)} order by dims, p.published_at
        """
    ).fetchall()
    return [Published(*row) for row in rows]


def _publishes(con: duckdb.DuckDBPyConnection) -> list[str]:
    if "ops.number_publish" not in relations(con):
        raise NoLedger(
            "no published number is kept here yet. Run `tieout refresh`: the next publish opens the ledger."
        )
    found = con.execute("select publish_id from ops.number_publish order by published_at").fetchall()
    return [publish_id for (publish_id,) in found]


def _known_metric(con: duckdb.DuckDBPyConnection, name: str) -> None:
    from tieout.metrics.errors import unknown

    names = [
        item for (item,) in con.execute("select distinct metric_name from ops.published_number").fetchall()
    ]
    if name not in names:
        raise unknown("metric", name, names)


def _first_day(period: str) -> str:
    from tieout.metrics.answer import parse_period
    from tieout.metrics.errors import unknown

    span = parse_period(period)
    if span.grain != "month":
        raise unknown("month", period, ("2025-11",))
    return f"date '{span.start}'"
