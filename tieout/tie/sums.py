"""Which cases a sum of many rows shows: a balance of a customer, a stock of a product, a month knows no documents.

It shows the case that is off by the same amount, to the cent, for the same customer, product or month; failing that, the
only case anywhere that is off by it; failing that, the two or three cases of the same customer, product or month whose
amounts add up to it. What fits in two ways is left on its own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import combinations, product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tieout.tie.roots import Finding

_TOGETHER = 3  # so many cases at most in one sum: of more, some would fit by chance
_CANDIDATES = 8
_AMOUNTS = 24  # of all candidates: every choice of them is tried
_KEY = re.compile(r"([A-Z])-[0-9a-f]{12}")  # of a dimension: customer, product


class Sums:
    """What every case is off, for whom; asked for one sum after the other."""

    def __init__(self, cases: Sequence[Sequence[Finding]], found: Iterable[Finding]) -> None:
        self._shown = {(item.identity, member) for item in found for member in item.members}
        # amount as it stands in some identity -> which other members it stands under there as well
        self._off: dict[tuple[str, str], dict[int, dict[Decimal, frozenset[str]]]] = defaultdict(
            lambda: defaultdict(dict)
        )
        self._whole: dict[tuple[Decimal, str], set[int]] = defaultdict(set)
        for place, case in enumerate(cases):
            for member, unit, amount, others in _amounts(case):
                if member is None:
                    self._whole[abs(amount), unit].add(place)
                else:
                    known = self._off[member, unit][place]
                    known[amount] = known.get(amount, others) & others

    def parts(self, item: Finding) -> list[tuple[int, Decimal]]:
        """The cases a sum shows, with how much of it each is; nothing if that cannot be told."""
        near = self._near(item)
        one = {place for place, amounts in near.items() if abs(item.amount) in {*map(abs, amounts)}}
        one = one or self._whole.get((abs(item.amount), item.unit), set())
        if one:
            return [(next(iter(one)), item.amount)] if len(one) == 1 else []
        if len(near) > _CANDIDATES or sum(map(len, near.values())) > _AMOUNTS:
            return []
        for number in range(2, _TOGETHER + 1):
            ways = list(_ways(item.amount, near, number))
            if ways:
                return ways[0] if len(ways) == 1 else []
        return []

    def _near(self, item: Finding) -> dict[int, set[Decimal]]:
        """Cases that are off for somebody the sum is about: by how much."""
        near: dict[int, set[Decimal]] = defaultdict(set)
        for member in item.members:
            for place, amounts in self._off.get((member, item.unit), {}).items():
                # what stands under another member elsewhere has to show in this identity under both
                near[place] |= {
                    amount
                    for amount, others in amounts.items()
                    if amount and all((item.identity, other) in self._shown for other in others)
                }
        return {place: amounts for place, amounts in near.items() if amounts}


def _amounts(case: Sequence[Finding]) -> Iterator[tuple[str | None, str, Decimal, frozenset[str]]]:
    """Member (None: any), unit, amount, other members: each amount, and what looks alike in one identity together."""
    together: dict[tuple[str | None, str, str, str], Decimal] = defaultdict(Decimal)
    moved: dict[str, set[str]] = defaultdict(set)
    for item in case:
        if item.suspect == "mapping":
            moved[item.identity] |= {member for member in item.members if _KEY.fullmatch(member)}
    for item in case:
        for member in (None, *item.members):
            others = _others(member, moved[item.identity]) if item.suspect == "mapping" else frozenset()
            yield member, item.unit, item.amount, others
            together[member, item.unit, item.identity, item.suspect] += item.amount
    for (member, unit, identity, suspect), amount in together.items():
        yield member, unit, amount, _others(member, moved[identity] if suspect == "mapping" else set())


def _others(member: str | None, moved: set[str]) -> frozenset[str]:
    """Other members of the same dimension."""
    key = _KEY.fullmatch(member or "")
    return frozenset(other for other in moved if key and other != member and other.startswith(key[1]))


def _ways(amount: Decimal, near: dict[int, set[Decimal]], number: int) -> Iterator[list[tuple[int, Decimal]]]:
    """Every choice of so many cases, each with its amount either way round, that adds up."""
    for places in combinations(sorted(near), number):
        signed = [sorted({*near[place], *(-it for it in near[place])}) for place in places]
        for amounts in product(*signed):
            if sum(amounts, Decimal(0)) == amount:
                yield list(zip(places, amounts, strict=True))
