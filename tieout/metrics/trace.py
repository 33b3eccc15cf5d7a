"""From one cell of one metric to the rows that make it, and from those to the rows of the source.

The rows are found by a second route: straight from the mart, without the compiler. Their sum must equal the
cell to the last digit, which proves both.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from tieout.engine import literal, quoted, relations
from tieout.metrics.answer import Catalogued, Period, answer, catalogued, is_member, parse_period, resolve
from tieout.metrics.errors import MetricError, TraceMismatch, unknown

if TYPE_CHECKING:
    import duckdb

    from tieout.metrics.definitions import Definitions

Value = Decimal | float | int | None


@dataclass(frozen=True)
class Join:
    """How a dimension is reached: its expression, and the one join to its table (None: the mart itself)."""

    expr: str
    relation: str | None
    foreign_key: str | None
    primary_key: str | None


@dataclass(frozen=True)
class Operand:
    """An input metric of a formula."""

    alias: str
    metric: str


@dataclass(frozen=True)
class Plan:
    """Everything `trace` needs to know of a metric; stored as JSON beside the compiled SQL."""

    metric: str
    kind: str  # rows | running | last | formula
    relation: str = ""
    amount: str = ""
    time: str = ""
    # `last`: the snapshot's own relation and day; relation, amount and time name the rows it is made of.
    snapshot: str = ""
    snapshot_day: str = ""
    joins: dict[str, Join] = field(default_factory=dict)
    expr: str = ""
    inputs: tuple[Operand, ...] = ()


@dataclass(frozen=True)
class Contribution:
    """One mart row behind a cell, and where it came from. `origin` is None if the raw row is not at hand."""

    metric: str
    fact: str
    source_system: str
    source_stream: str
    record: str
    contribution: Decimal
    origin: str | None = None  # the source's table or file
    position: int | None = None  # line of the file, row of the extract
    batch: str | None = None


@dataclass(frozen=True)
class Trace:
    """One cell and what makes it; `total` equals `cell`.

    A metric with a measure has `rows`, whose contributions add up to `total`. A formula has `inputs`, one
    trace each, and no rows of its own.
    """

    metric: str
    grain: str | None
    period: str | None
    filters: dict[str, object]
    cell: Value
    total: Value
    rows: list[Contribution]
    unit: str
    definition_version: str
    inputs: tuple[Trace, ...] = ()

    @property
    def contributions(self) -> list[Contribution]:
        """The rows of this cell, or of all its inputs."""
        return [*self.rows, *(row for item in self.inputs for row in item.contributions)]

    @property
    def unresolved(self) -> int:
        """Contributions whose raw row could not be found; 0 in a complete warehouse."""
        return sum(row.origin is None for row in self.contributions)


def trace(
    con: duckdb.DuckDBPyConnection,
    name: str,
    grain: str | None = None,
    period: str | None = None,
    filters: Mapping[str, object] | None = None,
    keys: Mapping[tuple[str, str], Sequence[str]] | None = None,
) -> Trace:
    """The rows behind one cell.

    Args:
        con: The warehouse; with raw tables, so that the source rows can be named.
        name: The metric.
        grain: Of the period; may be left out.
        period: `2026-02` and the like; None: over all time.
        filters: Dimension → value, as in `answer`.
        keys: Key columns by (source, stream); None: read from the contracts of this installation.

    Raises: UnknownName, UnlawfulSum, MetricError as `answer`; TraceMismatch if the rows do not add up.
    """
    metric = catalogued(con, name)
    span = parse_period(period) if period is not None else None
    if grain not in {None, "", "all"} and (span is None or span.grain != grain):
        raise MetricError(
            f"a cell of grain {grain} needs a period of that grain, not {period!r}. Nothing was computed."
        )
    fixed = {resolve(metric, key): value for key, value in (filters or {}).items()}
    found = _trace(con, metric, span, period, fixed)
    rows = found.contributions
    if not rows:
        return found
    located = _resolved(con, rows, keys if keys is not None else _contract_keys())
    return _with_rows(found, iter(located))


def plan_of(definitions: Definitions, name: str) -> Plan:
    """How a metric's cells lead to rows."""
    metric = definitions.metric(name)
    if metric.inputs:
        inputs = tuple(Operand(item.alias, item.metric) for item in metric.inputs)
        expr = str(metric.expr)
        if metric.kind == "ratio":
            top, bottom = (quoted(item.alias) for item in inputs)
            expr = f"cast({top} as double) / cast(nullif({bottom}, 0) as double)"
        return Plan(name, "formula", expr=expr, inputs=inputs)
    measure = definitions.measures[metric.measures[0]]
    model = definitions.models[measure.model]
    reached = definitions.reaches(model)
    joins = {
        short: Join(
            reached[dunder].expr,
            reached[dunder].relation,
            reached[dunder].foreign_key,
            reached[dunder].primary_key,
        )
        for short, dunder in definitions.dimensions(name).items()
    }
    time = model.time_expr(measure.time)
    if measure.non_additive:
        rows = metric.meta.trace
        day = model.time_expr(measure.non_additive)
        return Plan(
            name,
            "last",
            rows.relation if rows else model.relation,
            rows.amount if rows else measure.expr,
            rows.time if rows else time,
            snapshot=model.relation,
            snapshot_day=day,
            joins=joins,
        )
    kind = "running" if metric.kind == "cumulative" else "rows"
    return Plan(name, kind, model.relation, measure.expr, time, joins=joins)


def _trace(
    con: duckdb.DuckDBPyConnection,
    metric: Catalogued,
    span: Period | None,
    period: str | None,
    fixed: dict[str, object],
    operand: bool = False,
) -> Trace:
    """The cell and its rows, not yet located in the source.

    An operand of a formula may be a balance whose last movement lies before the period, while the formula
    goes on: it has rows then, but no cell of its own.
    """
    plan = _plan(con, metric.name)
    grain = span.grain if span else None
    if plan.kind == "formula":
        over = not operand and span is not None and _over(con, plan, span)
        inputs = tuple(
            _trace(con, catalogued(con, item.metric), span, period, fixed, operand=True)
            for item in (() if over else plan.inputs)
        )
        rows = []
        total = _formula(con, plan, [item.total for item in inputs])
    else:
        inputs = ()
        rows = _rows(con, plan, span, fixed, operand)
        total = sum((row.contribution for row in rows), Decimal(0)) if rows else None
    cell = _cell(con, metric, span, period, fixed)
    if cell is None and operand:
        cell = total
    if not _equal(cell, total):
        raise TraceMismatch(
            f"{metric.name} {period or 'over all time'} {fixed or ''}: the cell is {cell}, its rows "
            f"make {total}. Do not use this number; the marts and the metric disagree."
        )
    return Trace(
        metric.name, grain, period, fixed, cell, total, rows, metric.unit, metric.definition_version, inputs
    )


def _cell(
    con: duckdb.DuckDBPyConnection,
    metric: Catalogued,
    span: Period | None,
    period: str | None,
    fixed: dict[str, object],
) -> Value:
    rows = answer(con, metric.name, span.grain if span else None, (), period, fixed).rows
    return rows[0][-1] if rows else None


def _plan(con: duckdb.DuckDBPyConnection, name: str) -> Plan:
    row = con.execute(f"select plan from metrics.trace_plan where metric_name = {literal(name)}").fetchone()
    if row is None:
        raise unknown("metric", name, ())
    return plan_from(str(row[0]))


def plan_from(text: str) -> Plan:
    """A plan as `metrics.trace_plan` keeps it."""
    raw = json.loads(text)
    raw["joins"] = {key: Join(**value) for key, value in raw["joins"].items()}
    raw["inputs"] = tuple(Operand(**value) for value in raw["inputs"])
    return Plan(**raw)


def _rows(
    con: duckdb.DuckDBPyConnection,
    plan: Plan,
    span: Period | None,
    fixed: dict[str, object],
    operand: bool,
) -> list[Contribution]:
    """Mart rows inside the cell whose amount is not null."""
    extra, joins, conditions = [], [], ["fact._amount is not null"]
    for number, (name, value) in enumerate(fixed.items()):
        join = plan.joins[name]
        if join.relation is None:
            extra.append(f"({join.expr}) as _member{number}")
            column = f"fact._member{number}"
        else:
            extra.append(f"({join.foreign_key}) as _key{number}")
            joins.append(
                f"left join (select ({join.primary_key}) as _key, ({join.expr}) as _member from {join.relation})"
                f" as dim{number} on fact._key{number} = dim{number}._key"
            )
            column = f"dim{number}._member"
        conditions.append(is_member(column, value))
    conditions += _inside(plan, span, operand)
    columns = ", ".join(["*", f"({plan.amount}) as _amount", f"({plan.time}) as _time", *extra])
    found = con.execute(
        "select fact.source_system, fact.source_stream, cast(fact.source_record as text), fact._amount\n"
        f"from (select {columns} from {plan.relation}) as fact\n" + "\n".join(joins) + "\nwhere "
        + " and ".join(conditions) + "\norder by 1, 2, abs(fact._amount) desc, 3"
    ).fetchall()  # fmt: skip
    return [
        Contribution(plan.metric, plan.relation, system, stream, record, Decimal(amount))
        for system, stream, record, amount in found
    ]


def _inside(plan: Plan, span: Period | None, operand: bool) -> list[str]:
    """Which days of the mart belong to the period."""
    start, end = (f"date '{span.start}'", f"date '{span.end}'") if span else ("", "")
    if plan.kind == "rows":
        return [f"fact._time >= {start} and fact._time < {end}"] if span else []
    if plan.kind == "running":
        if span is None:
            return []
        # A balance goes on after its last movement, but not beyond the last day anything moved.
        horizon = f"(select max({plan.time}) from {plan.relation}) >= {start}"
        return [f"fact._time < {end}", *([] if operand else [horizon])]
    day = f"select max({plan.snapshot_day}) from {plan.snapshot}"
    if span is not None:
        day += f" where {plan.snapshot_day} >= {start} and {plan.snapshot_day} < {end}"
    # Rows of the snapshot itself, or every row up to that day of what the snapshot is made of.
    comparison = "=" if plan.relation == plan.snapshot else "<="
    return [f"fact._time {comparison} ({day})"]


def _over(con: duckdb.DuckDBPyConnection, plan: Plan, span: Period) -> bool:
    """Whether a formula with a balance in it ended before the period: with the last row of any of its inputs."""
    plans = list(_row_plans(con, plan))
    if not any(item.kind == "running" for item in plans):
        return False
    days = ", ".join(
        f"(select max({item.snapshot_day or item.time}) from {item.snapshot or item.relation})"
        for item in plans
    )
    row = con.execute(f"select coalesce(greatest({days}) < date '{span.start}', true)").fetchone()
    return bool(row and row[0])


def _row_plans(con: duckdb.DuckDBPyConnection, plan: Plan) -> Iterator[Plan]:
    if plan.kind != "formula":
        yield plan
    for item in plan.inputs:
        yield from _row_plans(con, _plan(con, item.metric))


def _formula(con: duckdb.DuckDBPyConnection, plan: Plan, totals: list[Value]) -> Value:
    if all(total is None for total in totals):
        return None  # also of no inputs at all
    columns = ", ".join(
        f"cast({'null' if total is None else total} as decimal(38, 8)) as {quoted(item.alias)}"
        for item, total in zip(plan.inputs, totals, strict=True)
    )
    row = con.execute(f"select {plan.expr} from (select {columns}) as inputs").fetchone()
    return row[0] if row else None


def _equal(cell: Value, total: Value) -> bool:
    if cell is None or total is None:
        # Nothing at all on one side is the same as nothing that counts on the other.
        return (cell or 0) == (total or 0)
    if isinstance(cell, float) or isinstance(total, float):
        return math.isclose(float(cell), float(total), rel_tol=1e-12, abs_tol=1e-12)
    return Decimal(cell) == Decimal(total)


# --- back to the source ---------------------------------------------------------------------------


def _contract_keys() -> dict[tuple[str, str], tuple[str, ...]]:
    from sources.contract import read_sources
    from tieout.settings import settings

    sources = read_sources(settings().sources)
    return {
        (source.name, stream): promised.key
        for source in sources.values()
        for stream, promised in source.streams.items()
    }


def _resolved(
    con: duckdb.DuckDBPyConnection,
    rows: list[Contribution],
    keys: Mapping[tuple[str, str], Sequence[str]],
) -> list[Contribution]:
    """The same rows with origin, position and batch of their raw rows; one query per stream."""
    wanted: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        wanted.setdefault((row.source_system, row.source_stream), set()).add(row.record)
    found: dict[tuple[str, str, str], tuple[str, int, str]] = {}
    for (system, stream), records in wanted.items():
        if (system, stream) not in keys or not _has_raw(con, system, stream):
            continue
        key = " || '|' || ".join(f"cast({quoted(column)} as text)" for column in keys[system, stream])
        listed = ", ".join(literal(record) for record in sorted(records))
        raw = con.execute(
            f"select {key} as record, _origin, _row, _batch_id from {quoted('raw_' + system)}.{quoted(stream)}\n"
            f"where {key} in ({listed})"
        ).fetchall()
        found |= {
            (system, stream, record): (origin, position, batch) for record, origin, position, batch in raw
        }
    nowhere = (None, None, None)
    located = [found.get((row.source_system, row.source_stream, row.record), nowhere) for row in rows]
    return [
        replace(row, origin=origin, position=position, batch=batch)
        for row, (origin, position, batch) in zip(rows, located, strict=True)
    ]


def _has_raw(con: duckdb.DuckDBPyConnection, system: str, stream: str) -> bool:
    return f"raw_{system}.{stream}" in relations(con)


def _with_rows(found: Trace, located: Iterator[Contribution]) -> Trace:
    """The trace with its rows exchanged, in the order of `contributions`."""
    rows = [next(located) for _ in found.rows]
    return replace(found, rows=rows, inputs=tuple(_with_rows(item, located) for item in found.inputs))
