"""Answers over random rows: equal to plain Python, sums agree with totals, balances with what went in and out.

The layer is compiled once; each example fills the facts anew, and the compiled queries answer from them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.company.metric_truth import (
    Difference,
    Evaluator,
    Last,
    Marts,
    Quotient,
    Rule,
    Running,
    Sum,
    if_,
    start_of,
)
from tests.warehouse.test_metric_layer import MARTS, build
from tieout.engine import literal
from tieout.metrics.answer import answer
from tieout.metrics.trace import trace

GRAINS = (None, "day", "week", "month", "quarter", "year")
ADDITIVE = ("order_amount_net", "ship_amount_net")
BALANCES = {"ship_amount_balance": "ship_amount_net", "order_amount_balance": "order_amount_net"}
RULES: dict[str, Rule] = {
    "order_amount_net": Sum("fct_order", "day", lambda row: if_(row.is_booked, row.cny)),
    "ship_amount_net": Sum("fct_shipment", "day", lambda row: row.cny),
    "order_amount_balance": Running("fct_order", "day", lambda row: if_(row.is_booked, row.cny)),
    "ship_amount_balance": Running("fct_shipment", "day", lambda row: row.cny),
    "backlog_amount_net": Difference("order_amount_balance", "ship_amount_balance"),
    "ship_to_order_ratio": Quotient("ship_amount_net", "order_amount_net"),
    "stock_on_hand_qty": Last("fct_stock_day", "day", lambda row: row.qty),
}
DIMENSIONS = {
    "customer_code": ("customer_key", ("dim_customer", "customer_key", "customer_code")),
    "product_code": ("product_key", ("dim_product", "product_key", "product_code")),
}
MEMBERS: dict[str, dict[str, str | None]] = {
    "customer_code": {"k1": "C1", "k2": "C2", "unmatched": "unmatched"},
    "product_code": {"p1": "P1", "p2": "P2"},
}
FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)
CALENDAR = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]


class Order(NamedTuple):
    day: date | None
    customer_key: str | None
    is_booked: bool
    cny: Decimal | None


class Shipment(NamedTuple):
    day: date | None
    customer_key: str | None
    cny: Decimal | None


class Move(NamedTuple):
    day: date
    product_key: str
    qty: Decimal


class StockDay(NamedTuple):
    day: date
    product_key: str
    qty: Decimal


# Ends of months, quarters and weeks more often than by chance; k9 is in no dimension.
days = st.sampled_from(
    [date(2026, month, day) for month in range(1, 7) for day in (1, 2, 15, 28)]
    + [date(2026, 1, 31), date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)]
)
customers = st.sampled_from(["k1", "k2", "unmatched", None, "k9"])
# Few and round, so that sums of zero happen; cents, so that binary fractions would show.
money = st.sampled_from([Decimal(text) for text in ("0.00", "0.10", "0.20", "-0.10", "33.33", "-33.33", "99999999.99")])  # fmt: skip
orders = st.lists(st.builds(Order, days | st.none(), customers, st.booleans(), money | st.none()), max_size=9)
shipments = st.lists(st.builds(Shipment, days, customers, money | st.none()), max_size=9)
moves = st.lists(
    st.builds(
        Move, days, st.sampled_from(["p1", "p2"]), st.integers(-9, 9).filter(bool).map(lambda n: Decimal(n) / 4)
    ),
    max_size=9,
)  # fmt: skip
often = settings(
    max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    folder: Path = tmp_path_factory.mktemp("answers")
    with duckdb.connect() as con:
        con.execute(MARTS)
        build(con, folder)
        yield con


def fill(
    con: duckdb.DuckDBPyConnection,
    ordered: list[Order],
    shipped: list[Shipment],
    moved: list[Move] | None = None,
) -> Evaluator:
    """Exchange the rows of the facts; the same rows for plain Python."""
    stock = balances(moved or [])
    tables: dict[str, tuple[str, list]] = {
        "fct_order": ("order_date, customer_key, is_booked, amount_cny", ordered),
        "fct_shipment": ("ship_date, customer_key, amount_cny", shipped),
        "fct_stock_day": ("balance_date, product_key, closing_qty", stock),
    }
    for table, (columns, rows) in tables.items():
        con.execute(f"delete from marts.{table}")
        if rows:
            values = ", ".join(f"({', '.join(written(item) for item in row)})" for row in rows)
            con.execute(f"insert into marts.{table} ({columns}) values {values}")
    rows = {"fct_order": ordered, "fct_shipment": shipped, "fct_stock_day": stock}
    return Evaluator(Marts(rows, MEMBERS, CALENDAR), RULES, DIMENSIONS)


def written(value: object) -> str:
    return "null" if value is None else str(value) if isinstance(value, bool) else literal(str(value))


def balances(moved: list[Move]) -> list[StockDay]:
    """A dense snapshot: every product on every day from the first move to the last."""
    if not moved:
        return []
    first, last = min(move.day for move in moved), max(move.day for move in moved)
    return [
        StockDay(
            day,
            product,
            sum((m.qty for m in moved if m.product_key == product and m.day <= day), Decimal(0)),
        )
        for day in CALENDAR
        if first <= day <= last
        for product in ("p1", "p2")
    ]


def cells(con, name: str, grain: str | None, by: tuple[str, ...]) -> dict[tuple, Decimal | float]:
    rows = answer(con, name, grain, by).rows
    return {(row[0] if grain else None, tuple(row[bool(grain) : -1])): row[-1] for row in rows}


def months(con, name: str) -> dict[date, Decimal]:
    return {start: value for (start, _), value in cells(con, name, "month", ()).items() if start}


def agree(found: dict, expected: dict) -> bool:
    """The same cells; sums to the last digit, quotients as the nearest binary fractions."""
    return found.keys() == expected.keys() and all(
        found[key] == pytest.approx(value, rel=1e-12) if isinstance(value, float) else found[key] == value
        for key, value in expected.items()
    )


@often
@given(orders, shipments, moves, st.sampled_from(GRAINS), st.booleans())
@example([], [], [], "month", True)
@example([Order(None, None, True, Decimal("0.10"))], [], [], "month", True)
@example(
    [Order(FIRST, "k1", True, Decimal("0.00"))], [Shipment(FIRST, "k1", Decimal("33.33"))], [], "day", True
)
@example(
    [Order(FIRST, None, True, Decimal("0.10"))], [Shipment(LAST, None, Decimal("0.10"))], [], "quarter", True
)
def test_every_answer_is_that_of_plain_python(con, ordered, shipped, moved, grain, split):
    """NULL keys and dates, keys of no dimension, empty tables, zero divisors, two facts side by side."""
    truth = fill(con, ordered, shipped, moved)
    for name in RULES:
        if name == "stock_on_hand_qty":
            by: tuple[str, ...] = ("product_code",)
        else:
            by = ("customer_code",) if split else ()
        found, expected = cells(con, name, grain, by), truth.cells(name, grain, by)
        assert agree(found, expected), (name, grain, by, found, expected)


@often
@given(orders, shipments)
@example([Order(None, "k1", True, Decimal("0.10"))], [])
@example([Order(FIRST, "k1", True, Decimal("0.10"))], [Shipment(LAST, "k1", Decimal("0.10"))])
def test_a_wide_view_shows_what_each_of_its_metrics_says_alone(con, ordered, shipped):
    """A balance beside them takes nothing from the others: not the rows without a day, nor any if its fact is empty."""
    fill(con, ordered, shipped)
    shown = ("order_amount_net", "ship_amount_net", "backlog_amount_net")
    rows = con.execute(
        f"select period_start, customer_code, {', '.join(shown)} from metrics.sales_monthly"
    ).fetchall()
    for place, name in enumerate(shown, start=2):
        found = {(row[0], (row[1],)): row[place] for row in rows if row[place] is not None}
        assert found == cells(con, name, "month", ("customer_code",)), name
    assert all(any(value is not None for value in row[2:]) for row in rows)


@often
@given(orders, shipments, st.sampled_from(GRAINS))
def test_the_members_add_up_to_the_total(con, ordered, shipped, grain):
    fill(con, ordered, shipped)
    # A balance adds over everything but time.
    for name in (*ADDITIVE, *BALANCES, "backlog_amount_net"):
        added: dict[tuple, Decimal] = defaultdict(Decimal)
        for (start, _), value in cells(con, name, grain, ("customer_code",)).items():
            added[start, ()] += value
        assert added == cells(con, name, grain, ()), name


@often
@given(orders, shipments)
def test_a_year_to_date_is_the_sum_of_its_months_and_finer_periods_make_the_coarser(con, ordered, shipped):
    fill(con, ordered, shipped)
    for name in ADDITIVE:
        by_month = months(con, name)
        by_day = cells(con, name, "day", ())
        for start in by_month:
            to_date = sum(value for month, value in by_month.items() if month <= start)
            end = (start + timedelta(days=31)).replace(day=1)
            assert to_date == sum(value for (day, _), value in by_day.items() if day and day < end)
        for coarse in ("quarter", "year"):
            added: dict[date, Decimal] = defaultdict(Decimal)
            for start, value in by_month.items():
                added[start_of(start, coarse)] += value
            assert added == {start: value for (start, _), value in cells(con, name, coarse, ()).items() if start}  # fmt: skip


@often
@given(orders, shipments, moves)
def test_closing_is_opening_and_what_went_in_less_what_went_out(con, ordered, shipped, moved):
    fill(con, ordered, shipped, moved)
    for balance, flow in BALANCES.items():
        moved_in, opening = months(con, flow), Decimal(0)
        for start, closing in sorted(months(con, balance).items()):
            assert closing == opening + moved_in.get(start, 0), (balance, start)
            opening = closing
    stock = cells(con, "stock_on_hand_qty", "month", ("product_code",))
    for key, product in MEMBERS["product_code"].items():
        opening = Decimal(0)
        for start in sorted({start for start, _ in stock}):
            flow = sum(
                move.qty for move in moved if move.product_key == key and start_of(move.day, "month") == start
            )
            assert stock[start, (product,)] == opening + flow, (product, start)
            opening = stock[start, (product,)]


@often
@given(orders, shipments, moves, st.sampled_from(["day", "week", "month", "quarter", "year"]))
def test_nothing_is_said_of_periods_after_the_last_row(con, ordered, shipped, moved, grain):
    """A balance goes on to the last day its fact knows, a formula to that of any input, and no further."""
    fill(con, ordered, shipped, moved)
    last = {
        "order": max((row.day for row in ordered if row.day), default=None),
        "ship": max((row.day for row in shipped if row.day), default=None),
        "stock": max((row.day for row in moved), default=None),
    }
    either = max((day for day in (last["order"], last["ship"]) if day), default=None)
    for name in RULES:
        until = either if name in {"backlog_amount_net", "ship_to_order_ratio"} else last[name.split("_")[0]]
        by = ("product_code",) if name == "stock_on_hand_qty" else ()
        starts = [start for start, _ in cells(con, name, grain, by) if start]
        assert not starts or (until and max(starts) <= until), name


@often
@given(orders, shipments, st.sampled_from(["2026-01", "2026-03", "2026-07", "2026-Q4", "2027"]))
@example([Order(FIRST, "k1", True, Decimal("0.10"))], [Shipment(FIRST, "k1", Decimal("33.33"))], "2026-07")
def test_the_rows_behind_a_formula_of_balances_end_where_it_ends(con, ordered, shipped, period):
    """After that there is no number, and no rows that contradict it."""
    fill(con, ordered, shipped)
    rows = answer(con, "backlog_amount_net", period=period).rows
    found = trace(con, "backlog_amount_net", period=period, keys={})
    assert found.cell == (rows[0][-1] if rows else None)
    assert rows or not found.contributions
