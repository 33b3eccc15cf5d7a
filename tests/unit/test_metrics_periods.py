"""Periods as people write them."""

from __future__ import annotations

from datetime import date

import pytest

from tieout.metrics.answer import Period, parse_period
from tieout.metrics.errors import UnknownName


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("2026", Period("year", date(2026, 1, 1), date(2027, 1, 1))),
        ("2025-Q4", Period("quarter", date(2025, 10, 1), date(2026, 1, 1))),
        ("2026q1", Period("quarter", date(2026, 1, 1), date(2026, 4, 1))),
        ("2025-12", Period("month", date(2025, 12, 1), date(2026, 1, 1))),
        ("2024-02", Period("month", date(2024, 2, 1), date(2024, 3, 1))),
        ("2026-W01", Period("week", date(2025, 12, 29), date(2026, 1, 5))),
        ("2026-02-28", Period("day", date(2026, 2, 28), date(2026, 3, 1))),
    ],
)
def test_a_period_has_a_grain_and_two_ends(text, period):
    assert parse_period(text) == period


@pytest.mark.parametrize("text", ["2026-13", "2026-02-30", "2026-Q5", "2026-W60", "last month", "", "26-02"])
def test_what_is_no_period_is_refused(text):
    with pytest.raises(UnknownName):
        parse_period(text)
