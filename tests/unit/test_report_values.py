"""Figures and periods as people write them are read as they meant them, or refused."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.claimed.errors import ClaimedFileError
from tieout.claimed.values import between, read_figure, read_span, scale_of

D = Decimal
amounts = st.decimals(min_value=D("-1e12"), max_value=D("1e12"), places=2)


@pytest.mark.parametrize(
    ("text", "value", "step"),
    [
        ("3974044.86", "3974044.86", "0.01"),
        ("3,974,044.86", "3974044.86", "0.01"),
        ("397.40万", "3974000", "100"),
        ("397.4 万元", "3974000", "1000"),
        ("1.2亿", "120000000", "10000000"),
        ("（1,234.50）", "-1234.50", "0.01"),
        ("(1 234)", "-1234", "1"),
        ("１２３．４５", "123.45", "0.01"),
        ("-5", "-5", "1"),
        ("5-", "-5", "1"),
        ("¥1,000", "1000", "1"),
        ("1000元", "1000", "1"),
        ("12.5%", "0.125", "0.001"),
        ("3.974.044,86", "3974044.86", "0.01"),
        ("0", "0", "1"),
    ],
)
def test_a_figure(text, value, step):
    found = read_figure(text)
    assert (found.value, found.step) == (D(value), D(step))


@pytest.mark.parametrize("text", ["", "约400万", "1,23,456", "12..5", "--", "n/a", "1e5", "十二"])
def test_what_is_no_figure_is_refused(text):
    with pytest.raises(ClaimedFileError):
        read_figure(text)


def test_a_unit_said_twice_is_refused():
    assert read_figure("397.40", D(10_000)).value == D("3974000")
    with pytest.raises(ClaimedFileError, match="names a unit, and so does its column"):
        read_figure("397.40万", D(10_000))


@given(amounts)
def test_every_amount_comes_back_however_it_is_written(value):
    wide = f"{value:,.2f}".translate(str.maketrans("0123456789.,-", "０１２３４５６７８９．，－"))
    bracketed = f"({abs(value):,.2f})" if value < 0 else f"{value:,.2f}"
    for text in (f"{value:f}", f"{value:,.2f}", wide, bracketed, f" {value:f} 元"):
        assert read_figure(text).value == value
    assert read_figure(f"{value:f}万").value == value * 10_000


@pytest.mark.parametrize("text", ["2025-11", "2025年11月", "2025/11", "2025.11", "202511", "2025年11月份", "Nov 2025", "２０２５－１１"])  # fmt: skip
def test_one_month_in_many_ways(text):
    span = read_span(text)
    assert (span.start, span.end, span.text) == (date(2025, 11, 1), date(2025, 12, 1), "2025-11")


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2025", (2025, 1, 1), (2025, 12, 31)),
        ("FY2025", (2025, 1, 1), (2025, 12, 31)),
        ("2025年度", (2025, 1, 1), (2025, 12, 31)),
        ("2025Q4", (2025, 10, 1), (2025, 12, 31)),
        ("2025年第四季度", (2025, 10, 1), (2025, 12, 31)),
        ("2025-10-26 至 2025-11-25", (2025, 10, 26), (2025, 11, 25)),
        ("2025年10月26日-11月25日", (2025, 10, 26), (2025, 11, 25)),
        ("2025年12月26日到1月25日", (2025, 12, 26), (2026, 1, 25)),
        ("2025-11 ~ 2026-02", (2025, 11, 1), (2026, 2, 28)),
        ("2025-11-30", (2025, 11, 30), (2025, 11, 30)),
        ("2025-11-15 00:00:00", (2025, 11, 15), (2025, 11, 15)),
    ],
)
def test_other_periods(text, first, last):
    span = read_span(text)
    assert (span.start, span.end - timedelta(days=1)) == (date(*first), date(*last))


def test_a_month_without_a_year_needs_one():
    assert read_span("11月", 2025).text == "2025-11"
    with pytest.raises(ClaimedFileError, match="no period"):
        read_span("11月")


def test_a_date_cell_on_the_first_is_the_month_and_says_so():
    span = read_span("2025-11-01 00:00:00")
    assert span.text == "2025-11" and "was read as the month" in span.note


@pytest.mark.parametrize("text", ["", "去年", "2025-13", "2025-02-30", "26-25", "2025-11 至 去年"])
def test_what_is_no_period_is_refused(text):
    with pytest.raises(ClaimedFileError):
        read_span(text)


@given(st.dates(date(2000, 1, 1), date(2090, 1, 1)), st.integers(0, 400))
def test_any_two_days_are_read_back(first, length):
    last = first + timedelta(days=length)
    span = read_span(f"{first} 至 {last}")
    assert (span.start, span.end) == (first, last + timedelta(days=1))
    assert span.calendar == (read_span(span.text) == span if "–" not in span.text else False)
    assert between(first, last) == span


def test_a_period_that_ends_before_it_begins_is_refused():
    with pytest.raises(ClaimedFileError, match="before it begins"):
        between(date(2025, 11, 2), date(2025, 11, 1))


def test_units_of_money():
    assert scale_of("万元") == 10_000 and scale_of("元") == 1 and scale_of("千") == 1000
    assert scale_of("公斤") is None
