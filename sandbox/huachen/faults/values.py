"""Values as people mistype them."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


def text(value: Decimal) -> str:
    return format(value, "f")


def transposed(value: Decimal, dice: random.Random) -> Decimal:
    """Two neighbouring digits have changed places; ten times as much where all digits are alike."""
    digits = text(value)
    places = [
        place for place in range(len(digits) - 1)
        if digits[place : place + 2].isdigit() and digits[place] != digits[place + 1]
        and not (place == 0 and digits[1] == "0")
    ]  # fmt: skip
    if not places:
        return value * 10
    place = dice.choice(places)
    return Decimal(digits[:place] + digits[place + 1] + digits[place] + digits[place + 2 :])


def shifted(instant: str, delta: timedelta) -> str:
    """An instant of a store, moved."""
    return (datetime.fromisoformat(instant) + delta).strftime("%Y-%m-%dT%H:%M:%SZ")


def next_month(day: date) -> date:
    """The first of the month after."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
