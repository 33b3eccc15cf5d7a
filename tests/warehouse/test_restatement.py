"""Each movement of a published number has causes that add up, and each cause is what Python says it is."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.warehouse.restated_world import (
    FIRST,
    KEYS,
    SECOND,
    Order,
    World,
    entered,
    expected,
    off,
    published,
    said,
)  # fmt: skip
from tieout.metrics.errors import UnknownName
from tieout.metrics.restate import lines, published_values, record

D = Decimal
JANUARY, MARCH, APRIL, MAY = (date(2026, 1, 12), date(2026, 3, 5), date(2026, 4, 3), date(2026, 5, 2))


def shop(**changes: object) -> World:
    """Three customers, orders in January and March, and one in the month that is still open."""
    orders = {
        1: Order(JANUARY, "a", D("100.10")),
        2: Order(JANUARY, "b", D("70.05"), booked=False),
        3: Order(MARCH, "a", D("30.00")),
        4: Order(MARCH, "c", D("5.55")),
        5: Order(APRIL, "b", D("9.99")),
    }
    return World(then=dict(orders), now=dict(orders), **changes)  # ty: ignore[invalid-argument-type]


def edited(world: World) -> None:
    world.now[1] = Order(JANUARY, "a", D("110.00"))
    world.causes[1] = "source_edit"


def moved_to_another_customer_and_month(world: World) -> None:
    world.now[3] = Order(JANUARY, "b", D("31.00"))
    world.causes[3] = "source_edit"


def header(world: World) -> None:
    world.now[4] = Order(JANUARY, "c", D("5.55"))
    world.causes[4] = "source_edit"
    world.headers.add(4)


def late(world: World) -> None:
    world.now[20] = Order(JANUARY, "c", D("12.34"))
    world.causes[20] = "late_row"


def grown(world: World) -> None:
    world.now[21] = Order(APRIL, "a", D("1.00"))
    world.now[22] = Order(MAY, "a", D("2.00"))
    world.causes |= {21: "new_period", 22: "new_period"}


def deleted(world: World) -> None:
    del world.now[2]
    world.causes[2] = "deletion"


def released(world: World) -> None:
    world.now[30] = Order(MARCH, "b", D("8.08"))
    world.causes[30] = "repair"


def merged(world: World) -> None:
    world.keys_now["b"] = "K1"


def other_sql(world: World) -> None:
    world.other_sql[4] = D("5.56")
    world.causes[4] = "model"


def redefined(world: World) -> None:
    world.redefined = True


ONE = [
    edited,
    moved_to_another_customer_and_month,
    header,
    late,
    grown,
    deleted,
    released,
    merged,
    other_sql,
    redefined,
]


@pytest.mark.parametrize("change", ONE, ids=lambda change: change.__name__)
def test_one_cause_alone(change, tmp_path):
    world = shop()
    change(world)
    con, _ = entered(world, tmp_path)
    assert said(con) == expected(world)
    assert off(con) == []
    assert said(con), "something moved"


def test_several_causes_on_one_number(tmp_path):
    world = shop()
    for change in (edited, late, grown, deleted, released, merged, redefined):
        change(world)
    con, found = entered(world, tmp_path)
    assert said(con) == expected(world)
    assert off(con) == []
    january = ("order_amount_net", "all", "", date(2026, 1, 1))
    by_hand = {"definition": D("-70.05"), "source_edit": D("9.90"), "late_row": D("12.34")}
    assert {cause: amount for (cell, cause), amount in said(con).items() if cell == january} == by_hand
    assert found.unexplained == 0


def test_nothing_moves_nothing_is_said(tmp_path):
    con, found = entered(shop(), tmp_path)
    assert (found.moved, found.restated, said(con)) == (0, 0, {})


def test_a_publish_is_entered_once(tmp_path):
    world = shop()
    edited(world)
    con, found = entered(world, tmp_path)
    before = con.execute("from ops.restatement order by all").fetchall()
    assert record(con, tmp_path, SECOND, keys=KEYS) == found
    assert con.execute("from ops.restatement order by all").fetchall() == before


def test_killed_on_the_way_leaves_nothing_and_the_next_attempt_completes(tmp_path, monkeypatch):
    from tieout.metrics import restate

    world = shop()
    edited(world)
    whole = restate._remember

    def killed(con, made_of):
        if con.execute("select count(*) from ops.number_publish").fetchone() == (1,):
            raise KeyboardInterrupt
        whole(con, made_of)

    monkeypatch.setattr(restate, "_remember", killed)
    with pytest.raises(KeyboardInterrupt):
        entered(world, tmp_path)
    monkeypatch.undo()
    from tieout.engine import connect

    with connect(tmp_path / "warehouse.duckdb") as con:
        assert con.execute("select count(*) from ops.restatement").fetchone() == (0,)
        record(con, tmp_path, SECOND, keys=KEYS)
        assert said(con) == expected(world)


def test_without_the_snapshot_the_values_are_known_and_the_cause_is_said_to_be_unknown(tmp_path):
    world = shop()
    edited(world)
    con, found = entered(world, tmp_path, lose_snapshot=True)
    assert off(con) == []
    assert {cause for _, cause in said(con)} == {"unexplained"}
    assert found.unexplained > 0
    (note,) = con.execute("select distinct note from ops.restatement").fetchone()
    assert FIRST in note


def test_an_amount_nobody_can_account_for_is_shown(tmp_path):
    """The raw row is the same, no SQL, definition or key is another: nothing explains 999."""
    world = shop()
    world.now[1] = Order(JANUARY, "a", D("999.00"))
    world.causes[1] = "source_edit"
    world.headers.add(1)
    con, found = entered(
        world, tmp_path, between=lambda con: con.execute("delete from ops.batch where stream = 'header'")
    )
    wanted = {
        (cell, "unexplained" if cause == "source_edit" else cause): a
        for (cell, cause), a in expected(world).items()
    }
    assert said(con) == wanted
    assert found.unexplained == found.restated > 0


def test_the_history_of_one_number(tmp_path):
    world = shop()
    edited(world)
    con, _ = entered(world, tmp_path)
    values = published_values(con, "order_amount_net", "2026-01", "customer_code", "K1")
    assert [(v.value, v.publish_from, v.publish_to) for v in values] == [
        (D("100.10"), FIRST, SECOND),
        (D("110.00"), SECOND, None),
    ]
    found = lines(con, "order_amount_net", period="2026-01", by="customer_code", since=FIRST)
    assert [(line.cause, line.amount, line.evidence) for line in found] == [
        ("source_edit", D("9.90"), "shop.order:1")
    ]
    assert lines(con, "order_amount_net", since=SECOND) == []
    with pytest.raises(UnknownName, match="order_amount_net"):
        lines(con, "order_amount_nett")
    with pytest.raises(UnknownName):
        lines(con, since="P0")


def test_every_number_is_kept_as_it_was_published_each_time(tmp_path):
    world = shop()
    for change in (edited, deleted, grown, merged):
        change(world)
    con, _ = entered(world, tmp_path)
    for publish, values in zip((FIRST, SECOND), published(world), strict=True):
        kept = con.execute(
            "select metric_name, dim_set, coalesce(json_extract_string(dims, '$.customer_code'), ''), period_start, value"
            f" from ops.published_number where publish_from <= '{publish}'"
            f" and (publish_to is null or publish_to > '{publish}')"
        ).fetchall()
        assert {tuple(row[:4]): row[4] for row in kept} == values
        assert len(kept) == len(values)


DAYS = st.integers(0, 98).map(lambda days: date(2026, 1, 1) + timedelta(days=days))
AMOUNTS = st.decimals(min_value=-1000, max_value=1000, places=2, allow_nan=False)
ORDERS = st.builds(Order, DAYS, st.sampled_from("abc"), AMOUNTS, st.booleans())


@st.composite
def worlds(draw: st.DrawFn) -> World:
    then = dict(enumerate(draw(st.lists(ORDERS, min_size=1, max_size=7)), start=1))
    # The months that were published do not depend on what happens to a single order.
    then[0] = Order(APRIL, "a", D(1))
    world = World(then=dict(then), now=dict(then))
    for number in range(1, len(then)):
        done = draw(st.sampled_from(["", "", "source_edit", "deletion"]))
        if done == "deletion":
            del world.now[number]
        elif done == "source_edit":
            world.now[number] = draw(ORDERS)
            if world.now[number] == world.then[number]:
                continue
        if done:
            world.causes[number] = done
    for number, order in enumerate(draw(st.lists(ORDERS, max_size=3)), start=100):
        open_month = order.day >= date(2026, 4, 1)
        world.now[number], world.causes[number] = order, "new_period" if open_month else "late_row"
    for number, order in enumerate(draw(st.lists(ORDERS, max_size=2)), start=200):
        world.now[number], world.causes[number] = order, "repair"
    world.redefined = draw(st.booleans())
    # A merge or its undoing; an order that was edited at the same time stays with its customer.
    one, other = draw(st.sampled_from([("b", "K1"), ("c", "K2"), ("", "")]))
    if one:
        which = world.keys_now if draw(st.booleans()) else world.keys_then
        which[one] = other
        for number, done in world.causes.items():
            if done == "source_edit":
                was, now = world.then[number], world.now[number]
                world.now[number] = Order(now.day, was.customer, now.amount, now.booked)
                if world.now[number] == was:
                    world.now[number] = Order(was.day, was.customer, was.amount + 1, was.booked)
    return world


def right(world: World) -> None:
    with tempfile.TemporaryDirectory() as folder:
        con, found = entered(world, Path(folder))
        with con:
            assert off(con) == []
            assert found.unexplained == 0
            assert said(con) == expected(world)


# Shrinking writes hundreds of files; the example as found says enough.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]


@settings(max_examples=6, deadline=None, phases=PHASES)
@given(worlds())
def test_whatever_happens_at_once_the_amounts_add_up_and_each_cause_is_right(world):
    right(world)


@pytest.mark.nightly
@settings(max_examples=200, deadline=None, phases=PHASES)
@given(worlds())
def test_the_same_many_times(world):
    right(world)
