"""The company's calendar: which days are worked, and instants of a local day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

# Days off that are no weekend; make-up workdays are left out: nobody here works on Sundays.
_HOLIDAYS = (
    (date(2024, 1, 1), date(2024, 1, 1)), (date(2024, 2, 10), date(2024, 2, 17)), (date(2024, 4, 4), date(2024, 4, 6)),
    (date(2024, 5, 1), date(2024, 5, 5)), (date(2024, 6, 10), date(2024, 6, 10)), (date(2024, 9, 15), date(2024, 9, 17)),
    (date(2024, 10, 1), date(2024, 10, 7)), (date(2025, 1, 1), date(2025, 1, 1)), (date(2025, 1, 28), date(2025, 2, 4)),
    (date(2025, 4, 4), date(2025, 4, 6)), (date(2025, 5, 1), date(2025, 5, 5)), (date(2025, 5, 31), date(2025, 6, 2)),
    (date(2025, 10, 1), date(2025, 10, 8)),
)  # fmt: skip


@cache
def works(day: date) -> bool:
    return day.weekday() < 5 and not any(first <= day <= last for first, last in _HOLIDAYS)


def next_working_day(day: date) -> date:
    while not works(day):
        day += timedelta(days=1)
    return day


def days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def at(day: date, dice: random.Random, first: int = 9, last: int = 18) -> datetime:
    """A random instant of a local (Shanghai, UTC+8) day between two hours, in UTC, whole seconds."""
    midnight = datetime.combine(day, time(0), UTC) - timedelta(hours=8)
    return midnight + timedelta(seconds=dice.randrange(first * 3600, last * 3600))


def local_day(moment: datetime) -> date:
    return (moment + timedelta(hours=8)).date()


def month_end(day: date) -> bool:
    return (day + timedelta(days=1)).month != day.month
