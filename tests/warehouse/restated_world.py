"""A shop with one table of orders, published twice; and what the restatement ledger should say, in plain Python.

Python knows each order's state then and now and what was done to it; it computes the numbers and the amount of every
cause without looking at what the platform made of it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb

from tieout.engine import connect, literal
from tieout.ingest.ledger import ensure_ledger
from tieout.metrics.restate import Recorded, record
from tieout.metrics.trace import Join, Operand, Plan

KEYS = {("shop", "order"): ("id",)}
FIRST, SECOND = "P20260401T000000-a", "P20260402T000000-b"
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
# Everything up to here is complete in the first publish; April is still open.
CUT_OFF = date(2026, 4, 10)
MONTHS = [date(2026, month, 1) for month in (1, 2, 3, 4, 5)]
WALK = (
    "definition", "merge_or_split", "model", "repair", "source_edit", "deletion", "late_row", "new_source", "new_period"
)  # fmt: skip


@dataclass(frozen=True)
class Order:
    """One row of the source; `customer` as the source knows it."""

    day: date
    customer: str
    amount: Decimal
    booked: bool = True


@dataclass
class World:
    """Orders then and now by id, golden key of each customer then and now, and what was done to an id."""

    then: dict[int, Order] = field(default_factory=dict)
    now: dict[int, Order] = field(default_factory=dict)
    keys_then: dict[str, str] = field(default_factory=lambda: {"a": "K1", "b": "K2", "c": "K3"})
    keys_now: dict[str, str] = field(default_factory=lambda: {"a": "K1", "b": "K2", "c": "K3"})
    causes: dict[int, str] = field(default_factory=dict)
    # The second publish counts only what is booked.
    redefined: bool = False
    # What no system says: the SQL between raw and mart gives other amounts.
    other_sql: dict[int, Decimal] = field(default_factory=dict)
    # Orders whose header, another table, was edited: is_booked turns, the line itself stays.
    headers: set[int] = field(default_factory=set)

    def mart_now(self, number: int) -> Order:
        order = self.now[number]
        if number in self.other_sql:
            order = replace(order, amount=self.other_sql[number])
        return order


Cell = tuple[str, str, str, date | None]  # metric, dim_set, member, month (None: all)
Rows = Iterable[tuple[date, str, Decimal, int]]  # day, member, amount, count


def month(day: date) -> date:
    return day.replace(day=1)


def counted(order: Order, redefined: bool) -> Decimal:
    return order.amount if order.booked or not redefined else Decimal(0)


def numbers(rows: list[tuple[date, str, Decimal]], horizon: date | None) -> dict[Cell, Decimal]:
    """Every number the shop publishes, from (day, golden key, amount) of its orders."""
    found: dict[Cell, Decimal] = {}
    sums: dict[tuple[str, date | None], Decimal] = defaultdict(Decimal)
    counts: dict[tuple[str, date | None], int] = defaultdict(int)
    for day, key, amount in rows:
        for member in ("", key):
            for first in (month(day), None):
                sums[member, first] += amount
                counts[member, first] += 1
    for (member, first), amount in sums.items():
        by = "customer_code" if member else "all"
        found["order_amount_net", by, member, first] = amount
        found["order_average_net", by, member, first] = ratio(amount, counts[member, first])
        found["order_row_count", by, member, first] = Decimal(counts[member, first])
    for member in {member for member, _ in sums}:
        by, running = "customer_code" if member else "all", Decimal(0)
        begun = False
        for first in MONTHS:
            begun |= (member, first) in sums
            running += sums.get((member, first), Decimal(0))
            if begun and horizon and first <= horizon:
                found["order_balance", by, member, first] = running
        found["order_balance", by, member, None] = sums[member, None]
    return found


def ratio(amount: Decimal, count: int) -> Decimal:
    return (
        Decimal(repr(float(amount) / float(count))).quantize(Decimal("0.00000001")) if count else Decimal(0)
    )


def expected(world: World) -> dict[tuple[Cell, str], Decimal]:
    """Amount of every cause for every number that was there before, worked out from what was done to each order."""
    states: list[list[tuple[date, str, Decimal]]] = []
    then = {i: (o.day, world.keys_then[o.customer], o.amount) for i, o in world.then.items()}
    states.append(list(then.values()))
    walked = dict(then)
    for cause in WALK:
        for number, order in world.then.items():
            if number not in walked:
                continue
            day, key, amount = walked[number]
            if cause == "definition" and world.redefined:
                walked[number] = (day, key, counted(order, True))
            # An order that is gone leaves its customer where it was.
            if cause == "merge_or_split" and number in world.now:
                walked[number] = (day, world.keys_now[order.customer], amount)
        for number, done in world.causes.items():
            if done != cause:
                continue
            walked.pop(number, None)
            if number in world.now:
                order = world.mart_now(number)
                walked[number] = (
                    order.day, world.keys_now[order.customer], counted(order, world.redefined),
                )  # fmt: skip
        states.append(list(walked.values()))
    last = max((month(day) for day, *_ in walked.values()), default=None)
    before, after = published(world)
    assert numbers(states[-1], last) == after, (
        "what was done to the orders leads from the one state to the other"
    )
    amounts: dict[tuple[Cell, str], Decimal] = {}
    first_horizon = max((cell[3] for cell in before if cell[3]), default=None)
    for cell in before.keys() | after.keys():
        if cell not in before and cell[3] and first_horizon and cell[3] > first_horizon:
            amounts[cell, "new_period"] = after[cell]
            continue
        values = [numbers(state, MONTHS[-1]).get(cell, Decimal(0)) for state in states]
        for place, cause in enumerate(WALK, start=1):
            if values[place] != values[place - 1]:
                amounts[cell, cause] = values[place] - values[place - 1]
    return {key: amount for key, amount in amounts.items() if before.get(key[0]) != after.get(key[0])}


def published(world: World) -> tuple[dict[Cell, Decimal], dict[Cell, Decimal]]:
    """The numbers of both publishes."""
    then = [(o.day, world.keys_then[o.customer], o.amount) for o in world.then.values()]
    now = [
        (o.day, world.keys_now[o.customer], counted(o, world.redefined))
        for o in (world.mart_now(number) for number in world.now)
    ]
    return tuple(numbers(rows, max((month(day) for day, *_ in rows), default=None)) for rows in (then, now))  # ty: ignore[invalid-return-type]


# --- the same for the platform --------------------------------------------------------------------


def entered(
    world: World,
    folder: Path,
    *,
    lose_snapshot: bool = False,
    between: Callable[[duckdb.DuckDBPyConnection], None] | None = None,
) -> tuple[duckdb.DuckDBPyConnection, Recorded]:
    """The warehouse after both publishes were entered into the ledger, and what the second one says of itself."""
    con = connect(folder / "warehouse.duckdb")
    ensure_ledger(con)
    con.execute("create schema raw_shop; create schema master")
    con.execute(
        'create table raw_shop."order__history" (id bigint, amount decimal(18, 2), _batch_id text, _loaded_at timestamptz,'
        " _hash ubigint, _is_deleted boolean, _is_current boolean)"
    )
    con.execute("create table master.crosswalk (entity text, record_id text, master_key text)")
    aside = [number for number, cause in world.causes.items() if cause == "repair"]
    for number, order in world.then.items():
        _version(con, number, order, "b1", NOON, current=True)
    _batch(con, "b1", NOON, len(world.then))
    for number in aside:
        con.execute(
            "insert into ops.quarantine (source, stream, batch_id, origin, record_key, rule, reason, record, owner,"
            f" quarantined_at, record_hash) values ('shop', 'order', 'b1', 'o', '{number}', 'r', 'r', '', 'o', now(), '')"
        )
    _publish(con, world, folder, FIRST, now=False)
    record(con, folder, FIRST, keys=KEYS)
    _second_state(con, world)
    if between:
        between(con)
    _publish(con, world, folder, SECOND, now=True)
    if lose_snapshot:
        (folder / f"tieout-{FIRST}.duckdb").unlink()
    return con, record(con, folder, SECOND, keys=KEYS)


def _second_state(con: duckdb.DuckDBPyConnection, world: World) -> None:
    later = NOON + timedelta(days=1)
    changed = 0
    for number in sorted(world.then.keys() | world.now.keys()):
        cause = world.causes.get(number)
        if cause == "deletion":
            con.execute(f'update raw_shop."order__history" set _is_current = false where id = {number}')
            _version(con, number, world.then[number], "b2", later, current=True, gone=True)
        elif cause in {"source_edit"} and number not in world.headers:
            con.execute(f'update raw_shop."order__history" set _is_current = false where id = {number}')
            _version(con, number, world.now[number], "b2", later, current=True)
        elif cause in {"late_row", "new_period"}:
            _version(con, number, world.now[number], "b2", later, current=True)
        elif cause == "repair":
            # Let in by hand: the row keeps the batch it came with.
            _version(con, number, world.now[number], "b1", NOON, current=True)
            con.execute(f"update ops.quarantine set decision = 'released' where record_key = '{number}'")
            continue
        else:
            continue
        changed += 1
    if changed:
        _batch(con, "b2", later, changed)
    if world.headers:
        con.execute(
            "insert into ops.batch values ('shop', 'header', 'h2', '*', true, 'o', $1, $1, 1, 1, 0, 0, 0, 1, 'x', 'y')",
            [later],
        )


def _version(
    con: duckdb.DuckDBPyConnection,
    number: int,
    order: Order,
    batch: str,
    at: datetime,
    *,
    current: bool,
    gone: bool = False,
) -> None:
    con.execute(
        'insert into raw_shop."order__history" values ($1, $2, $3, $4, hash($5), $6, $7)',
        [number, order.amount, batch, at, repr(order), gone, current],
    )


def _batch(con: duckdb.DuckDBPyConnection, batch: str, at: datetime, rows: int) -> None:
    con.execute(
        "insert into ops.batch values ('shop', 'order', $1, '*', true, 'o', $2, $2, $3, $3, 0, 0, 0, 1, 'x', 'y')",
        [batch, at, rows],
    )


def _publish(
    con: duckdb.DuckDBPyConnection, world: World, folder: Path, publish_id: str, *, now: bool
) -> None:
    keys = world.keys_now if now else world.keys_then
    con.execute("delete from master.crosswalk")
    listed = ", ".join(f"('customer', 'shop:{name}', '{key}')" for name, key in keys.items())
    con.execute(f"insert into master.crosswalk values {listed}")
    at = NOON + timedelta(days=now)
    version = "project-2" if now and (world.redefined or world.other_sql) else "project-1"
    con.execute("insert into ops.publish values ($1, 'R', 'f', 'c', 1, 1, 's', 'd', $2)", [publish_id, at])
    con.execute(
        "insert into ops.certificate (publish_id, run_id, certified, reasons, business_cut_off, watermarks,"
        " definition_version, issued_at) values ($1, 'R', true, '[]', $2, '{}', $3, $4)",
        [publish_id, CUT_OFF, version, at],
    )
    orders = {i: world.mart_now(i) for i in world.now} if now else world.then
    values = published(world)[now]
    _snapshot(folder / f"tieout-{publish_id}.duckdb", orders, keys, values, now and world.redefined)


def _snapshot(
    file: Path,
    orders: Mapping[int, Order],
    keys: Mapping[str, str],
    values: Mapping[Cell, Decimal],
    redefined: bool,
) -> None:
    with connect(file) as con:
        con.execute("create schema marts; create schema metrics")
        con.execute(
            "create table marts.fct_order (order_date date, customer_key text, is_booked boolean,"
            " amount decimal(18, 2), source_system text, source_stream text, source_record text)"
        )
        con.execute("create table marts.dim_customer (customer_key text, customer_code text)")
        rows = ", ".join(
            f"(date '{o.day}', '{keys[o.customer]}', {o.booked}, {o.amount}, 'shop', 'order', '{i}')"
            for i, o in orders.items()
        )
        con.execute(f"insert into marts.fct_order values {rows}")
        for key in sorted({*keys.values()}):
            con.execute(f"insert into marts.dim_customer values ({literal(key)}, {literal(key)})")
        con.execute(
            "create table metrics.metric_values (metric_name text, time_grain text, dim_set text, period_start date,"
            " dims text, value decimal(38, 8), unit text, currency_code text)"
        )
        lines = []
        for (metric, by, member, first), value in values.items():
            dims = json.dumps({"customer_code": member}, separators=(",", ":")) if member else "{}"
            grain, start = ("month", f"date '{first}'") if first else ("all", "null")
            lines.append(f"('{metric}', '{grain}', '{by}', {start}, {literal(dims)}, {value}, 'CNY', 'CNY')")
        listed = ", ".join(lines)
        con.execute(f"insert into metrics.metric_values values {listed}")
        con.execute(
            "create table metrics.compiled_query as select plan.metric_name, time_grain, dim_set"
            " from (values ('order_amount_net'), ('order_balance'), ('order_row_count'), ('order_average_net')) as plan(metric_name),"
            " (values ('month'), ('all')) as grain(time_grain), (values ('all'), ('customer_code')) as s(dim_set)"
        )
        con.execute("create table metrics.trace_plan (metric_name text, plan text)")
        con.execute("create table metrics.metric_catalog (metric_name text, definition_version text)")
        for plan in plans(redefined):
            text = json.dumps(plan, default=lambda item: item.__dict__)
            con.execute(f"insert into metrics.trace_plan values ({literal(plan.metric)}, {literal(text)})")
            changed = redefined and plan.metric != "order_row_count"
            con.execute(
                f"insert into metrics.metric_catalog values ('{plan.metric}', '{'v2' if changed else 'v1'}')"
            )


def plans(redefined: bool) -> list[Plan]:
    joins = {"customer_code": Join("customer_code", "marts.dim_customer", "customer_key", "customer_key")}
    amount = "case when is_booked then amount else 0 end" if redefined else "amount"
    fact = "marts.fct_order"
    return [
        Plan("order_amount_net", "rows", fact, amount, "order_date", joins=joins),
        Plan("order_balance", "running", fact, amount, "order_date", joins=joins),
        Plan("order_row_count", "rows", fact, "1", "order_date", joins=joins),
        Plan(
            "order_average_net", "formula",
            expr='cast("order_amount_net" as double) / cast(nullif("order_row_count", 0) as double)',
            inputs=(Operand("order_amount_net", "order_amount_net"), Operand("order_row_count", "order_row_count")),
        ),
    ]  # fmt: skip


def said(con: duckdb.DuckDBPyConnection) -> dict[tuple[Cell, str], Decimal]:
    """What the ledger says of the second publish, as `expected` does."""
    rows = con.execute(
        "select metric_name, dim_set, coalesce(json_extract_string(dims, '$.customer_code'), ''), period_start, cause, amount"
        " from ops.restatement"
    ).fetchall()
    assert len({row[:5] for row in rows}) == len(rows), "one line for each number and cause"
    return {((metric, by, member, first), cause): amount for metric, by, member, first, cause, amount in rows}


def off(con: duckdb.DuckDBPyConnection) -> list[tuple]:
    """Numbers whose causes do not add up to their movement."""
    return con.execute(
        "select metric_name, time_grain, dim_set, period_start, dims, value_before, value_after, sum(amount)"
        " from ops.restatement group by all"
        " having sum(amount) <> coalesce(any_value(value_after), 0) - coalesce(any_value(value_before), 0)"
    ).fetchall()
