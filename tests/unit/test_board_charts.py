"""Charts and figures of the board: bars stand where the amounts are, and no digit is lost on the way."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.pages.charts import Group, Waterfall, grouped_bars, waterfall
from tieout.pages.words import Clock, figure, said, short

AMOUNT = st.decimals(min_value=-(10**12), max_value=10**12, places=4)


def bridge(left: str, right: str, **causes: str) -> Waterfall:
    steps = [(name, name, name, Decimal(amount)) for name, amount in causes.items()]
    return waterfall(
        [("left", "左", "Left", Decimal(left)), *steps, ("right", "右", "Right", Decimal(right))]
    )


def bar(fall: Waterfall, place: int) -> tuple[float, float]:
    """Where the bar of one row begins and ends, in percent of the width."""
    match = re.search(r'<rect class="\w+" x="([-\d.]+)%" width="([\d.]+)%"', fall.rows[place].bar)
    assert match
    return float(match[1]), float(match[1]) + float(match[2])


def test_each_step_begins_where_the_one_before_ended():
    fall = bridge("100", "75", open="-40", scope="15")

    assert [row.kind for row in fall.rows] == ["end", "down", "up", "end"]
    assert not fall.is_cut
    assert bar(fall, 1)[1] == pytest.approx(bar(fall, 0)[1], abs=0.01)  # down from 100 ...
    assert bar(fall, 2)[0] == pytest.approx(bar(fall, 1)[0], abs=0.01)  # ... to 60, up ...
    assert bar(fall, 3)[1] == pytest.approx(bar(fall, 2)[1], abs=0.01)  # ... to 75
    assert bar(fall, 3)[1] == pytest.approx(0.75 * bar(fall, 0)[1], abs=0.01)


def test_a_cent_beside_millions_is_drawn_on_a_cut_axis_and_says_so():
    fall = bridge("1839598.30", "1839598.29", rounding="-0.01")

    assert fall.is_cut
    begins, ends = bar(fall, 1)
    assert ends - begins > 30  # percent


def test_what_no_cause_accounts_for_and_what_cancels_out_have_their_own_look():
    fall = bridge("10", "12", timing="0", unexplained="2")

    assert [row.kind for row in fall.rows[1:-1]] == ["even", "unexplained"]


@given(st.lists(AMOUNT, min_size=1, max_size=8))
def test_a_waterfall_stays_inside_its_box(amounts):
    left, *causes = amounts
    steps = [("left", "左", "", left), *((f"c{n}", "因", "", amount) for n, amount in enumerate(causes))]

    fall = waterfall([*steps, ("right", "右", "", sum(amounts, Decimal(0)))])

    for place in range(len(fall.rows)):
        begins, ends = bar(fall, place)
        assert -0.01 <= begins <= ends <= 100.01


@given(st.lists(st.tuples(st.none() | AMOUNT, st.none() | AMOUNT), max_size=14))
def test_bars_stay_inside_their_box(rows):
    drawn = grouped_bars([Group(str(n), row) for n, row in enumerate(rows)], ["a", "b"], "CNY").svg

    tops = [float(y) for y in re.findall(r'<rect [^>]*y="([-\d.]+)"', drawn)]
    assert len(tops) == sum(value is not None for row in rows for value in row)
    assert all(0 <= top <= 320 for top in tops)


def test_names_in_a_chart_are_escaped():
    drawn = grouped_bars([Group("<b>", (Decimal(1),))], ['"<script>'], "CNY").svg

    assert "<script>" not in drawn
    assert "<b>" not in drawn


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        ("4122448.5600", "CNY", "4,122,448.56"),
        ("994153.9027", "CNY", "994,153.9027"),  # more digits than a cent are shown, not rounded
        ("0.0000", "CNY", "0.00"),
        ("-0.0000", "CNY", "0.00"),
        ("4597.0000", "piece", "4,597"),
        ("5302.5000", "hours", "5,302.5"),
        (
            "9999999999999999999999999999999999.9999",
            "CNY",
            "9,999,999,999,999,999,999,999,999,999,999,999.9999",
        ),
    ],
)
def test_figures_are_exact(value, unit, shown):
    assert figure(Decimal(value), unit) == shown


def test_differences_carry_their_sign():
    assert figure(Decimal("7"), "CNY", signed=True) == "+7.00"
    assert figure(Decimal("-7"), "CNY", signed=True) == "-7.00"
    assert figure(Decimal("0"), "CNY", signed=True) == "0.00"
    assert figure(None, "CNY") == "–"


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, max_value=10**30, min_value=-(10**30)))
def test_a_figure_reads_back_as_what_it_was(value):
    assert Decimal(figure(value, "CNY").replace(",", "")) == value


def test_axis_figures_use_the_units_of_their_language():
    assert short(1_500_000) == ("150 万", "1.5 M")
    assert short(230_000_000) == ("2.3 亿", "230 M")


def test_titles_of_the_ledger_are_split_into_their_languages():
    assert said("借贷相等 / Debit equals credit / per voucher") == (
        "借贷相等",
        "Debit equals credit / per voucher",
    )
    assert said("只有中文") == ("只有中文", "")


def test_instants_are_shown_in_the_zone_the_systems_share():
    moment = datetime(2026, 11, 1, 22, 5, tzinfo=UTC)

    assert Clock({"Asia/Shanghai"})(moment) == "2026-11-02 06:05 UTC+8"
    assert Clock({"Asia/Kolkata"})(moment) == "2026-11-02 03:35 UTC+5:30"
    assert Clock({"Asia/Shanghai", "Europe/Berlin"})(moment) == "2026-11-01 22:05 UTC"
    assert Clock(set())(None) == "–"
