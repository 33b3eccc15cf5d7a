"""The seed of Chinese holidays, made from what the State Council published, as the library `chinesecalendar` holds it.

Run once a year, when the new list is out (usually in November), in an environment that has the library:

    pip install chinesecalendar
    python -m tieout.standards.holidays > dbt_project/seeds/standards/chinese_holidays.csv

The library (MIT) is no dependency of the product: the seed is committed and a person reads what changed in it.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping
from datetime import date
from importlib import import_module

# The names of the law where the library's are shorter (《全国年节及纪念日放假办法》).
OFFICIAL = {"清明": "清明节", "端午": "端午节", "中秋": "中秋节"}
COLUMNS = ("calendar_date", "is_workday", "holiday_name_zh", "holiday_name_en")


def holiday_rows(
    holidays: Mapping[date, str], workdays: Mapping[date, str], names: Mapping[str, str]
) -> list[tuple[str, str, str, str]]:
    """One row per day that is not what its weekday says or has a name: `holidays` are off, `workdays` are worked.

    Both name the holiday in English; `names` holds the Chinese of each. A day in both is refused: one of them is wrong.
    """
    if both := sorted(set(holidays) & set(workdays)):
        raise ValueError(f"days that are off and worked at once: {', '.join(map(str, both))}")
    said = {day: ("false", name) for day, name in holidays.items()}
    said |= {day: ("true", name) for day, name in workdays.items()}
    return [(str(day), worked, names[name], name) for day, (worked, name) in sorted(said.items())]


def main() -> None:
    """Print the seed as CSV."""
    try:
        constants = import_module("chinese_calendar.constants")
    except ModuleNotFoundError:
        sys.exit(
            "chinesecalendar is not installed here. Nothing was written. `pip install chinesecalendar` in any environment."
        )
    names = {item.value: OFFICIAL.get(item.chinese, item.chinese) for item in constants.Holiday}
    _write(holiday_rows(constants.holidays, constants.workdays, names))


def _write(rows: Iterable[tuple[str, ...]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)


if __name__ == "__main__":
    main()
