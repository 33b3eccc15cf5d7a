"""Why a claimed figure is not the governed one: causes that are rows, whose amounts add up to the difference.

A cause is never the remainder. Each one is a change of how the metric is read (another date, tax included, a company
left out) or a step at one document (left out, counted twice), computed over actual rows; what they do not explain is
the residual, and stays there. First single causes are tried, then two together, then three, and the search stops
at the first number of causes that meets the figure; several such explanations are alternatives, the likeliest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import combinations, product
from typing import TYPE_CHECKING

from tieout.claimed.changes import ASPECTS, CUT_OFF_DAYS, Change, all_changes, nothing
from tieout.claimed.documents import Around, Item, Items, by_document, items_of, mistyped
from tieout.claimed.rows import UNITS, Rows, amount, units
from tieout.pages.words import Both

if TYPE_CHECKING:
    import numpy as np

CAUSES = {
    "timing": Both("期间/截止", "cut-off or timing"),
    "tax": Both("税", "tax"),
    "returns": Both("退货", "returns"),
    "duplicate": Both("重复", "counted twice"),
    "missing": Both("漏计", "missing"),
    "currency": Both("币种/汇率", "currency"),
    "scope": Both("范围", "scope"),
    "status": Both("单据状态", "status of documents"),
    "definition": Both("口径", "definition"),
    "unit": Both("计量单位", "unit of measure"),
    "keying": Both("录入", "typing"),
    "rounding": Both("舍入", "rounding"),
    "unknown_document": Both("查无此单", "document not found"),
    "amount": Both("金额不同", "amount differs"),
}
ALTERNATIVES = 3
# Documents kept with a cause: the largest; their number is said.
MOST_DOCUMENTS = 50
# Three changes together are tried up to so many rows; the work grows with the product of three lists.
_ROWS_FOR_THREE = 4_000
# So many candidates of one number of causes are looked at; the likeliest of them are shown.
_MOST_CANDIDATES = 400
# Of three causes each must be a common one: with rare ones, three make almost any number.
_COMMON = 7.0
# Sums in double precision are exact below this, and a hundred times faster.
_EXACT = 2**53


@dataclass(frozen=True)
class Document:
    """What one document adds to a difference."""

    number: str
    amount: Decimal


@dataclass(frozen=True)
class Cause:
    """One reason with its signed amount; `count` documents make it, the largest are listed."""

    kind: str
    title: Both
    amount: Decimal
    documents: tuple[Document, ...] = ()
    count: int = 0


@dataclass(frozen=True)
class Explanation:
    """Causes and residual add up to claimed less governed.

    `chance`: how many explanations of this kind and size would be expected by coincidence among those tried.
    """

    causes: tuple[Cause, ...]
    residual: Decimal
    bits: float
    chance: float = 0.0

    @property
    def exact(self) -> bool:
        return self.residual == 0


@dataclass(frozen=True)
class Reading:
    """One metric that the figure may be: the governed one, or another in its place."""

    metric: str
    label: str
    rows: Rows
    start: date
    end: date
    filters: Mapping[str, str]
    titles: Mapping[str, str]
    bits: float = 0.0

    @cached_property
    def space(self) -> _Space:
        """Its changes and their totals, made once for all figures of one cell."""
        return _Space(self)


@dataclass
class _Candidate:
    space: _Space
    changes: tuple[Change, ...]
    items: tuple[Item, ...]
    scale: tuple[Both, Decimal] | None
    bits: float


def explain(
    claimed: Decimal,
    step: Decimal,
    readings: Sequence[Reading],
    *,
    tax: str | None = None,
    most: int = ALTERNATIVES,
) -> tuple[Explanation, ...]:
    """Explanations of a figure that differs, the exact ones first; none if nothing explains even half of it.

    Args:
        claimed: The figure.
        step: What its last digit stands for; it may have been rounded to that.
        readings: The governed metric first, then others it may have been taken for.
        tax: `included` or `excluded`, if the department says so.
    """
    search = _Search(claimed, step, readings, tax)
    for stage in (search.one, search.two, search.three):
        found = search.best(stage(), most)
        if found:
            return found
    return search.part(most)


class _Space:
    """One reading with all its changes: totals of any combination of them."""

    def __init__(self, reading: Reading) -> None:
        import numpy as np

        self.reading = reading
        rows = self.rows = reading.rows
        self.until = rows.until(reading.start, reading.end)
        self.changes = all_changes(rows, reading.start, reading.end, reading.filters, reading.titles)
        first = reading.start if rows.kind == "rows" else None
        self.default: dict[str, np.ndarray] = {
            "amounts": rows.amounts,
            "holds": rows.counted,
            "flags": np.ones(rows.count, bool),
            "time": rows.within(first, self.until),
            "scope": rows.of(reading.filters),
        }
        largest = max((int(np.abs(item.array).sum()) for item in self.changes["amounts"]), default=0)
        largest = max(largest, int(np.abs(rows.amounts).sum()))
        self.kind = np.float64 if largest < _EXACT else np.int64
        self.total = self.sum(())
        self._stacks: dict[str, np.ndarray] = {}
        self._items: dict[tuple[int, ...], Items] = {}

    def picked(self, changes: Sequence[Change]) -> tuple[np.ndarray, np.ndarray]:
        """Amounts and rows of a combination of changes."""
        here = {**self.default, **{change.aspect: change.array for change in changes}}
        return here["amounts"], here["holds"] & here["flags"] & here["time"] & here["scope"]

    def sum(self, changes: Sequence[Change]) -> int:
        amounts, counted = self.picked(changes)
        return int(amounts[counted].sum())

    def listed(self, aspect: str, common: bool) -> list[Change]:
        """The changes of an aspect, the likeliest first; all of them, or the common ones."""
        changes = self.changes[aspect]
        return [change for change in changes if change.bits <= _COMMON] if common else changes

    def stack(self, aspect: str) -> np.ndarray:
        """All changes of an aspect, one a line."""
        import numpy as np

        if aspect not in self._stacks:
            arrays = [change.array for change in self.changes[aspect]]
            empty = np.zeros((0, self.rows.count), self.kind)
            self._stacks[aspect] = np.array(arrays).astype(self.kind) if arrays else empty
        return self._stacks[aspect]

    def totals(
        self, aspects: tuple[str, ...], *, common: bool
    ) -> Iterator[tuple[tuple[Change, ...], str, str, np.ndarray]]:
        """Totals of every choice of one change of each aspect.

        Args:
            common: Only of the common changes.

        Yields: changes that are fixed, the aspects of lines and columns ('' for one column), and the totals.
        """
        import numpy as np

        lists = {aspect: self.listed(aspect, common) for aspect in aspects}
        # Fixed one by one: all but the two longest lists.
        order = sorted(aspects, key=lambda aspect: len(lists[aspect]))
        fixed, free = order[:-2], order[-2:]
        if "amounts" in free and len(free) == 2:
            # Amounts multiply, masks limit: a product of both lists needs nothing else.
            free.sort(key=lambda aspect: aspect != "amounts")
        for chosen in product(*(lists[aspect] for aspect in fixed)):
            here = {**self.default, **{change.aspect: change.array for change in chosen}}
            weight = np.ones(self.rows.count, self.kind)
            for aspect in ASPECTS:
                if aspect not in free:
                    weight = weight * here[aspect]
            picked = np.flatnonzero(weight)
            weight = weight[picked]
            first = self.stack(free[0])[: len(lists[free[0]]), picked]
            if len(free) == 1:
                yield chosen, free[0], "", np.rint(first @ weight).astype(np.int64)[:, None]
            else:
                second = self.stack(free[1])[: len(lists[free[1]]), picked]
                yield chosen, free[0], free[1], np.rint((first * weight) @ second.T).astype(np.int64)

    @cached_property
    def _near(self) -> np.ndarray:
        """Rows a few days before or after the period."""
        from datetime import timedelta

        margin = timedelta(days=CUT_OFF_DAYS)
        first = self.reading.start - margin if self.rows.kind == "rows" else self.until
        return self.rows.within(first, self.until + margin) & ~self.default["time"]

    def items(self, changes: Sequence[Change]) -> Items:
        """Steps at single documents of a combination; those of single changes are kept."""
        key = tuple(id(change) for change in changes)
        if key not in self._items:
            made = self._made_items(changes)
            if len(changes) > 1:
                return made
            self._items[key] = made
        return self._items[key]

    def _made_items(self, changes: Sequence[Change]) -> Items:
        here = {**self.default, **{change.aspect: change.array for change in changes}}
        amounts, counted = self.picked(changes)
        holds, flags, time, scope = (here[aspect] for aspect in ("holds", "flags", "time", "scope"))
        around = Around(
            holds & flags & scope & self._near, ~holds & flags & time & scope, holds & flags & time & ~scope
        )
        # A slip at one document is looked for where nothing else is wrong.
        return items_of(self.rows, amounts, counted, around, mistyped=not changes)


class _Search:
    def __init__(self, claimed: Decimal, step: Decimal, readings: Sequence[Reading], tax: str | None) -> None:
        self.claimed, self.step, self.tax = claimed, step, tax
        self.target = units(claimed)
        # A figure to the cent must be met to the cent; a rounded one to half of its last digit.
        self.tolerance = units(step / 2) if step > Decimal("0.01") else 0
        self.grain = max(UNITS // 100, 2 * self.tolerance)
        self._readings = readings
        self.base = readings[0].space
        self.tried = 0
        self.spread = 1

    @property
    def spaces(self) -> list[_Space]:
        return [reading.space for reading in self._readings]

    # --- stages -----------------------------------------------------------------------------------

    def one(self) -> list[_Candidate]:
        """One cause: rounding or a slip in the figure itself, one change, one document, another metric."""
        found = [self._candidate(space) for space in self.spaces if self._meets(space.total)]
        if self._meets(0):
            # a company, a customer that had nothing then is no member to be tried; what is claimed is that nothing counts
            found.append(self._candidate(self.base, (nothing(self.base.rows),)))
        found += self._changed(self.base, 1)
        found += self._stepped(self.base, ())
        found += self._scaled(self.base, ((),))
        return found

    def two(self) -> list[_Candidate]:
        found = self._changed(self.base, 2)
        singles = [(change,) for aspect in ASPECTS for change in self.base.changes[aspect]]
        for changes in singles:
            found += self._stepped(self.base, changes)
        found += self._scaled(self.base, singles)
        items = self.base.items(()).paired()
        self._try(len(items) ** 2 // 2)
        for one, other in items.pairs(self.target - self.base.total, self.tolerance, _MOST_CANDIDATES):
            found.append(self._candidate(self.base, items=(one, other)))
        for space in self.spaces[1:]:
            found += self._changed(space, 1)
            found += self._stepped(space, ())
            found += self._scaled(space, ((),))
        return found

    def three(self) -> list[_Candidate]:
        found = []
        if self.base.rows.count <= _ROWS_FOR_THREE:
            found += self._changed(self.base, 3, common=True)
        found += self._two_and_document(self.base)
        for space in self.spaces[1:]:
            found += self._changed(space, 2, common=True)
            for aspect in ASPECTS:
                for change in space.listed(aspect, common=True):
                    found += self._stepped(space, (change,))
        return found

    def _changed(self, space: _Space, number: int, *, common: bool = False) -> list[_Candidate]:
        import numpy as np

        found = []
        aspects = [aspect for aspect in ASPECTS if space.changes[aspect]]
        for chosen in combinations(aspects, number):
            for fixed, line, column, totals in space.totals(chosen, common=common):
                self._try(totals.size, totals)
                hits = np.argwhere(np.abs(totals - self.target) <= self.tolerance)
                for at, other in hits[:_MOST_CANDIDATES]:
                    picked = [*fixed, space.changes[line][at]]
                    if column:
                        picked.append(space.changes[column][other])
                    found.append(self._candidate(space, tuple(picked)))
        return found

    def _stepped(self, space: _Space, changes: tuple[Change, ...]) -> list[_Candidate]:
        items = space.items(changes)
        self._try(len(items))
        residual = self.target - space.sum(changes)
        return [self._candidate(space, changes, (item,)) for item in items.adding(residual, self.tolerance)]

    def _scaled(self, space: _Space, combinations_: Sequence[tuple[Change, ...]]) -> list[_Candidate]:
        """The whole total with or without a flat rate of tax."""
        found = []
        for changes in combinations_:
            if any(change.cause == "tax" for change in changes):
                continue
            total = amount(space.sum(changes))
            for title, factor in self._factors(space.rows):
                self._try(1)
                if self._meets(units(_cents(total * factor))):
                    found.append(self._candidate(space, changes, scale=(title, factor)))
        return found

    @staticmethod
    def _factors(rows: Rows) -> list[tuple[Both, Decimal]]:
        found = []
        for rate in rows.rates:
            said = (
                f"{rate * 100:f}".rstrip("0").rstrip(".") if "." in f"{rate * 100:f}" else f"{rate * 100:f}"
            )
            found.append((Both(f"合计加了 {said}% 税", f"{said} % tax added to the total"), 1 + rate))
            found.append(
                (Both(f"合计除去了 {said}% 税", f"{said} % tax taken out of the total"), 1 / (1 + rate))
            )
        return found

    def _two_and_document(self, space: _Space) -> list[_Candidate]:
        """Two changes and one document: the document as it stands in the period, checked with the changes."""
        import numpy as np

        items = space.items(()).paired()
        if len(items) == 0:
            return []
        found = []
        aspects = [aspect for aspect in ASPECTS if space.changes[aspect]]
        for chosen in combinations(aspects, 2):
            for fixed, line, column, totals in space.totals(chosen, common=True):
                self._try(totals.size * len(items))
                residual = self.target - totals
                low = np.searchsorted(items.deltas, residual - self.tolerance, "left")
                high = np.searchsorted(items.deltas, residual + self.tolerance, "right")
                for at, other in np.argwhere(high > low)[:_MOST_CANDIDATES]:
                    picked = (
                        *fixed,
                        space.changes[line][at],
                        *([space.changes[column][other]] if column else []),
                    )
                    found += self._stepped(space, picked)
        return found

    # --- candidates -------------------------------------------------------------------------------

    def _try(self, number: int, totals: np.ndarray | None = None) -> None:
        import numpy as np

        self.tried += number
        if totals is not None and totals.size:
            effect = int(np.median(np.abs(totals - self.base.total)))
            self.spread = max(self.spread, 2 * max(effect, abs(self.target - self.base.total)))

    def _meets(self, total: int) -> bool:
        return abs(total - self.target) <= self.tolerance

    def _candidate(
        self,
        space: _Space,
        changes: tuple[Change, ...] = (),
        items: tuple[Item, ...] = (),
        scale: tuple[Both, Decimal] | None = None,
    ) -> _Candidate:
        bits = (
            space.reading.bits
            + sum(self._bits(change) for change in changes)
            + sum(item.bits for item in items)
        )
        if scale:
            bits += 2.0 if self.tax else 3.5
        return _Candidate(space, changes, items, scale, bits)

    def _bits(self, change: Change) -> float:
        # The department says itself that its figure includes tax.
        return 0.0 if change.cause == "tax" and self.tax == "included" else change.bits

    def best(self, candidates: Sequence[_Candidate], most: int) -> tuple[Explanation, ...]:
        """The likeliest explanations that meet the figure, one for each set of effects."""
        chance = self.tried * self.grain / max(self.spread, 1)
        found: dict[tuple, Explanation] = {}
        for candidate in sorted(candidates, key=lambda item: item.bits)[:_MOST_CANDIDATES]:
            made = self.made(candidate)
            if made.exact:
                key = tuple(
                    sorted((cause.amount, cause.documents[:5]) for cause in made.causes if cause.documents)
                )
                found.setdefault(key or (made.causes[0].title,), replace(made, chance=chance))
            if len(found) >= most:
                break
        return tuple(found.values())

    def part(self, most: int) -> tuple[Explanation, ...]:
        """Single causes that explain at least half of it, what is left being least."""
        difference = self.target - self.base.total
        found: list[tuple[int, _Candidate]] = []
        singles = [(self.base, (change,)) for aspect in ASPECTS for change in self.base.changes[aspect]]
        for space, changes in (*singles, *((space, ()) for space in self.spaces[1:])):
            left = abs(self.target - space.sum(changes))
            if 2 * left <= abs(difference):
                found.append((left, self._candidate(space, changes)))
        # Of two that leave about as much, the one that assumes less.
        found.sort(key=lambda item: item[0].bit_length() + item[1].bits / 2)
        made: dict[tuple, Explanation] = {}
        for _, candidate in found[: 5 * most]:
            one = self.made(candidate)
            made.setdefault(tuple(cause.amount for cause in one.causes), one)
        return tuple(made.values())[:most]

    def made(self, candidate: _Candidate) -> Explanation:
        """The causes of a candidate one after the other, each with what it adds to those before it."""
        space, causes = candidate.space, []
        so_far = self.base.total
        if space is not self.base:
            title = Both(
                f"这是「{space.reading.label}」", f"this is {space.reading.metric} ({space.reading.label})"
            )
            causes.append(Cause("definition", title, amount(space.total - so_far)))
            so_far = space.total
        applied: list[Change] = []
        for change in sorted(
            candidate.changes,
            key=lambda item: ("time", "holds", "flags", "scope", "amounts").index(item.aspect),
        ):
            before = space.picked(applied)
            applied.append(change)
            after = space.picked(applied)
            documents, count = _differing(space.rows, before, after)
            total = space.sum(applied)
            causes.append(Cause(change.cause, change.title, amount(total - so_far), documents, count))
            so_far = total
        for item in candidate.items:
            share = Document(
                " | ".join(space.rows.names[code] for code in item.documents[:4]), amount(item.delta)
            )
            causes.append(Cause(item.cause, item.title(space.rows), amount(item.delta), (share,), 1))
            so_far += item.delta
        if candidate.scale:
            title, factor = candidate.scale
            total = units(_cents(amount(so_far) * factor))
            causes.append(Cause("tax", title, amount(total - so_far)))
            so_far = total
        residual = self.claimed - amount(so_far)
        if residual and abs(residual) <= self.step / 2 and self.step > Decimal("0.01"):
            said = f"{self.step.normalize():f}"
            causes.append(Cause("rounding", Both(f"四舍五入到 {said}", f"rounded to {said}"), residual))
            residual = Decimal(0)
        return Explanation(tuple(causes), residual, candidate.bits)


def slip(governed: Decimal, claimed: Decimal) -> Explanation | None:
    """The governed figure itself, typed wrongly."""
    title = mistyped(units(governed), units(claimed))
    if title is None:
        return None
    said = Both(f"上报数本身录错：{title.zh}", f"the figure itself was typed wrongly: {title.en}")
    return Explanation((Cause("keying", said, claimed - governed),), Decimal(0), 6.0)


def rounded(governed: Decimal, claimed: Decimal, step: Decimal) -> Explanation | None:
    """The governed figure, rounded to the last digit that is written."""
    difference = claimed - governed
    if step <= Decimal("0.01") or abs(difference) >= step:
        return None
    half = abs(difference) <= step / 2
    if not half and abs(claimed) > abs(governed):
        return None
    said = f"{step.normalize():f}"
    title = (
        Both(f"四舍五入到 {said}", f"rounded to {said}")
        if half
        else Both(f"舍去不足 {said} 的部分", f"cut off below {said}")
    )
    return Explanation((Cause("rounding", title, difference),), Decimal(0), 0.0)


def _cents(value: Decimal) -> Decimal:
    from decimal import ROUND_HALF_UP

    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _differing(
    rows: Rows, before: tuple[np.ndarray, np.ndarray], after: tuple[np.ndarray, np.ndarray]
) -> tuple[tuple[Document, ...], int]:
    """The documents whose amounts differ between two readings, the largest first, and how many there are."""
    import numpy as np

    change = after[0] * after[1] - before[0] * before[1]
    codes, sums, _ = by_document(rows, change, change != 0)
    kept = np.flatnonzero(sums)
    order = kept[np.argsort(-np.abs(sums[kept]), kind="stable")]
    shown = tuple(
        Document(rows.names[int(codes[place])], amount(int(sums[place]))) for place in order[:MOST_DOCUMENTS]
    )
    return shown, len(order)
