"""The company's calendar against what the State Council published, copied from its notices by hand.

国办发明电〔2023〕7号 (2024), 国办发明电〔2024〕12号 (2025), 国务院办公厅关于2026年部分节假日安排的通知 of 2025-11-04 (2026).
The library that the seed was made with is not asked.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import jinja2
import pytest

from tieout.standards.holidays import holiday_rows

DBT = Path(__file__).parents[2] / "dbt_project"
# first day off, days off, name on the first day
OFF = [
    ("2024-01-01", 1, "元旦"), ("2024-02-10", 8, "春节"), ("2024-04-04", 3, "清明节"), ("2024-05-01", 5, "劳动节"),
    ("2024-06-10", 1, "端午节"), ("2024-09-15", 3, "中秋节"), ("2024-10-01", 7, "国庆节"),
    ("2025-01-01", 1, "元旦"), ("2025-01-28", 8, "春节"), ("2025-04-04", 3, "清明节"), ("2025-05-01", 5, "劳动节"),
    ("2025-05-31", 3, "端午节"), ("2025-10-01", 8, "国庆节"),
    ("2026-01-01", 3, "元旦"), ("2026-02-15", 9, "春节"), ("2026-04-04", 3, "清明节"), ("2026-05-01", 5, "劳动节"),
    ("2026-06-19", 3, "端午节"), ("2026-09-25", 3, "中秋节"), ("2026-10-01", 7, "国庆节"),
]  # fmt: skip
MADE_UP = [
    "2024-02-04", "2024-02-18", "2024-04-07", "2024-04-28", "2024-05-11", "2024-09-14", "2024-09-29", "2024-10-12",
    "2025-01-26", "2025-02-08", "2025-04-27", "2025-09-28", "2025-10-11",
    "2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10",
]  # fmt: skip


def calendar(con: duckdb.DuckDBPyConnection, first: str, last: str, **variables: object) -> None:
    """`dim_date` between two days, over the committed seed."""
    seed = DBT / "seeds" / "standards" / "chinese_holidays.csv"
    con.execute(f"create or replace table chinese_holidays as from read_csv('{seed}', header = true)")
    known = {"calendar_first_day": first, "calendar_last_day": last, **variables}
    text = (DBT / "models" / "marts" / "shared" / "dim_date.sql").read_text("utf-8")
    con.execute("create or replace table dim_date as " + jinja2.Template(text).render(ref=str, var=known.get))


@pytest.fixture
def con():
    with duckdb.connect() as opened:
        yield opened


def test_every_day_of_three_years_is_what_the_notices_say(con):
    calendar(con, "2024-01-01", "2026-12-31", fiscal_year_first_month=1)
    off = {
        date.fromisoformat(first) + timedelta(days=place) for first, days, _ in OFF for place in range(days)
    }
    made_up = {date.fromisoformat(day) for day in MADE_UP}

    rows = con.execute(
        "select date_day, is_holiday, is_make_up_workday, is_workday from dim_date order by 1"
    ).fetchall()

    assert len(rows) == 366 + 365 + 365
    for day, is_holiday, is_make_up_workday, is_workday in rows:
        assert is_holiday == (day in off), day
        assert is_make_up_workday == (day in made_up), day
        assert is_workday == (day in made_up or (day.weekday() < 5 and day not in off)), day


def test_holidays_have_their_official_names_and_make_up_days_say_what_for(con):
    calendar(con, "2024-01-01", "2026-12-31", fiscal_year_first_month=1)
    names = dict(
        con.execute(
            "select cast(date_day as text), holiday_name from dim_date where holiday_name is not null"
        ).fetchall()
    )
    assert {day: names[day] for day, _, _ in OFF} == {day: name for day, _, name in OFF}
    assert names["2025-10-06"] == "中秋节"  # in the middle of the national days
    assert names["2025-01-26"] == "春节"


def test_a_year_that_is_not_published_is_left_open_and_not_guessed(con):
    calendar(con, "2026-12-31", "2027-01-02", fiscal_year_first_month=1)
    assert con.execute(
        "select is_holiday, is_make_up_workday, is_workday, is_weekend from dim_date order by date_day"
    ).fetchall() == [(False, False, True, False), (None, None, None, False), (None, None, None, True)]


@pytest.mark.parametrize(
    ("first_month", "day", "year", "quarter", "period"),
    [
        (1, "2026-01-31", 2026, 1, 1),
        (1, "2026-12-31", 2026, 4, 12),
        (4, "2026-03-31", 2025, 4, 12),  # the last day of a year that began in April 2025
        (4, "2026-04-01", 2026, 1, 1),
        (7, "2026-01-01", 2025, 3, 7),
        (10, "2026-12-31", 2026, 1, 3),
    ],
)
def test_fiscal_periods_count_from_the_month_the_year_begins_in(con, first_month, day, year, quarter, period):
    calendar(con, day, day, fiscal_year_first_month=first_month)
    assert con.execute(
        "select fiscal_year_number, fiscal_quarter_number, fiscal_period_number, fiscal_period from dim_date"
    ).fetchone() == (year, quarter, period, f"{year}-{period:02}")


def test_a_day_that_is_off_and_worked_at_once_is_refused():
    day = date(2026, 1, 4)
    with pytest.raises(ValueError, match="2026-01-04"):
        holiday_rows({day: "New Year's Day"}, {day: "New Year's Day"}, {"New Year's Day": "元旦"})
