"""When the sample company is built again: is it the same one some days later, or another whose past must be forgotten?"""

from __future__ import annotations

import pytest

from tieout.cli.company import END, _lives_on, _wanted

BUILT = {"seed": 2026, "scale": 1, "code": "1f", "mes": True}
JUNE, JULY = "2025-06-30", "2025-07-31"


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ({**BUILT, "until": JUNE}, {**BUILT, "until": JULY}, True),
        ({**BUILT, "until": JUNE}, BUILT, True),
        ({**BUILT, "until": JUNE}, {**BUILT, "until": JUNE}, True),
        ({**BUILT, "until": JULY}, {**BUILT, "until": JUNE}, False),
        (BUILT, {**BUILT, "until": JUNE}, False),
        (BUILT, BUILT, False),  # written again though it stood: something was wrong with it
        ({**BUILT, "until": JUNE}, {**BUILT, "seed": 7}, False),
        ({**BUILT, "until": JUNE}, {**BUILT, "scale": 2, "until": JULY}, False),
        ({**BUILT, "until": JUNE}, {**BUILT, "code": "2e"}, False),
        ({}, BUILT, False),
    ],
)
def test_only_a_later_day_of_the_same_company_forgets_nothing(before: dict, now: dict, same: bool) -> None:
    assert _lives_on(before, now) is same


def test_what_is_not_asked_for_stays_as_it_was() -> None:
    before = {**BUILT, "until": JUNE, "since": "2025-01-31"}
    assert _wanted(before, scale=None, seed=7, until=None) == {"scale": 1, "seed": 7, "until": JUNE}
    assert _wanted(before, scale=3, seed=None, until=END) == {"scale": 3, "seed": 2026}
    assert _wanted({}, scale=None, seed=None, until=None) == {}
