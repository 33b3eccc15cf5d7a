"""Single documents that make a difference: left out, counted twice, of a neighbouring day, typed wrongly."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING

from tieout.claimed.rows import UNITS, Rows
from tieout.pages.words import Both

if TYPE_CHECKING:
    import numpy as np

# How the items of each kind are said, what cause they are, and what must be assumed beside which document it is.
_KINDS = (
    ("missing", Both("单据 {0} 未计入", "document {0} left out"), 3.0),
    ("duplicate", Both("单据 {0} 计了两次", "document {0} counted twice"), 2.5),
    ("missing", Both("单据 {0} 有一行未计入", "a line of document {0} left out"), 5.0),
    ("duplicate", Both("单据 {0} 有一行计了两次", "a line of document {0} counted twice"), 4.5),
    ("timing", Both("计入了相邻期间的单据 {0}", "document {0} of a neighbouring period included"), 4.0),
    ("status", Both("计入了不符合条件的单据 {0}", "document {0} included that does not count"), 4.0),
    ("scope", Both("计入了范围外的单据 {0}", "document {0} from outside the filter included"), 5.0),
    ("keying", Both("单据 {0} 录错：数字颠倒", "document {0} typed with two digits exchanged"), 6.0),
    ("keying", Both("单据 {0} 录错：小数点移位", "document {0} typed ten times too large or too small"), 6.0),
    ("keying", Both("单据 {0} 正负号相反", "document {0} with the opposite sign"), 5.0),
)
MISSING, TWICE, LINE_MISSING, LINE_TWICE, NEAR, STATUS, SCOPE, SWAPPED, SHIFTED, SIGN = range(len(_KINDS))
# Kinds of which two together are tried: the others would make any number.
PAIRED = (MISSING, TWICE, NEAR, STATUS)


@dataclass(frozen=True)
class Item:
    """One step at one document: what it adds to the figure, and which documents it may be (all of the same amount)."""

    kind: int
    delta: int
    documents: tuple[int, ...]
    bits: float

    @property
    def cause(self) -> str:
        return _KINDS[self.kind][0]

    def title(self, rows: Rows) -> Both:
        said = [rows.names[code] for code in self.documents[:4]]
        zh = "或".join(said) + ("等之一" if len(self.documents) > 4 else "")
        en = " or ".join(said) + (" or another of the same amount" if len(self.documents) > 4 else "")
        words = _KINDS[self.kind][1]
        return Both(words.zh.format(zh), words.en.format(en))


class Items:
    """All items of one reading, by what they add; `deltas` is sorted."""

    def __init__(self, kinds: np.ndarray, deltas: np.ndarray, documents: np.ndarray) -> None:
        import numpy as np

        order = np.argsort(deltas, kind="stable")
        self.kinds, self.deltas, self.documents = kinds[order], deltas[order], documents[order]
        self._sizes = np.bincount(kinds, minlength=len(_KINDS)) if len(kinds) else np.zeros(len(_KINDS), int)

    def __len__(self) -> int:
        return len(self.deltas)

    def paired(self) -> Items:
        import numpy as np

        kept = np.isin(self.kinds, PAIRED)
        return Items(self.kinds[kept], self.deltas[kept], self.documents[kept])

    def adding(self, residual: int, tolerance: int) -> list[Item]:
        """The items that make up for a residual; those of one kind and amount are one item of several documents."""
        import numpy as np

        low, high = (
            int(np.searchsorted(self.deltas, residual - tolerance, "left")),
            int(np.searchsorted(self.deltas, residual + tolerance, "right")),
        )
        found: dict[tuple[int, int], list[int]] = {}
        for place in range(low, high):
            key = (int(self.kinds[place]), int(self.deltas[place]))
            found.setdefault(key, []).append(int(self.documents[place]))
        return [
            Item(
                kind,
                delta,
                tuple(dict.fromkeys(codes)),
                _KINDS[kind][2] + log2(max(int(self._sizes[kind]), 1)),
            )
            for (kind, delta), codes in found.items()
        ]

    def pairs(self, residual: int, tolerance: int, most: int) -> list[tuple[Item, Item]]:
        """Two different items that make up for it together."""
        import numpy as np

        wanted = residual - self.deltas
        low = np.searchsorted(self.deltas, wanted - tolerance, "left")
        high = np.searchsorted(self.deltas, wanted + tolerance, "right")
        found: dict[tuple, tuple[Item, Item]] = {}
        for place in np.flatnonzero(high > low):
            one = Item(int(self.kinds[place]), int(self.deltas[place]), (int(self.documents[place]),),
                       _KINDS[self.kinds[place]][2] + log2(max(int(self._sizes[self.kinds[place]]), 1)))  # fmt: skip
            for other in self.adding(int(wanted[place]), tolerance):
                documents = tuple(code for code in other.documents if code not in one.documents)
                if documents and (one.kind, one.delta) <= (other.kind, other.delta):
                    key = (one.kind, one.delta, other.kind, other.delta)
                    found.setdefault(key, (one, Item(other.kind, other.delta, documents, other.bits)))
            if len(found) >= most:
                break
        return list(found.values())


@dataclass(frozen=True)
class Around:
    """Rows beside those that count, from which single documents may have got in."""

    near: np.ndarray
    status: np.ndarray
    scope: np.ndarray


def items_of(
    rows: Rows, amounts: np.ndarray, counted: np.ndarray, around: Around, *, mistyped: bool
) -> Items:
    """Every item of a reading.

    Args:
        amounts: What each row counts.
        counted: Which rows do.
        mistyped: With documents that were typed wrongly: ten times as many items.
    """
    import numpy as np

    parts: list[tuple[int, np.ndarray, np.ndarray]] = []
    codes, sums, lines = by_document(rows, amounts, counted)
    kept = sums != 0
    parts += [(MISSING, -sums[kept], codes[kept]), (TWICE, sums[kept], codes[kept])]
    parts.append((SIGN, -2 * sums[kept], codes[kept]))
    many = np.zeros(len(rows.names), bool)
    many[codes[lines > 1]] = True
    single = np.flatnonzero(counted & (amounts != 0))
    single = single[many[rows.documents[single]]]
    parts += [
        (LINE_MISSING, -amounts[single], rows.documents[single]),
        (LINE_TWICE, amounts[single], rows.documents[single]),
    ]
    for kind, mask in ((NEAR, around.near), (STATUS, around.status), (SCOPE, around.scope)):
        others, added, _ = by_document(rows, amounts, mask & ~counted)
        parts.append((kind, added[added != 0], others[added != 0]))
    for kind, changed in ((SWAPPED, _swapped), (SHIFTED, _shifted)) if mistyped else ():
        for place in np.flatnonzero(kept):
            deltas = np.array(sorted(changed(int(sums[place]))), np.int64)
            parts.append((kind, deltas, np.full(len(deltas), codes[place])))
    kinds = np.concatenate([np.full(len(deltas), kind) for kind, deltas, _ in parts])
    return Items(
        kinds,
        np.concatenate([deltas for _, deltas, _ in parts]).astype(np.int64),
        np.concatenate([documents for _, _, documents in parts]).astype(np.int64),
    )


def by_document(
    rows: Rows, amounts: np.ndarray, counted: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes of the documents that count, the sum of each, and how many rows of it count."""
    import numpy as np

    picked = np.flatnonzero(counted)
    if len(picked) == 0:
        empty = np.zeros(0, np.int64)
        return empty, empty, empty
    codes = rows.documents[picked]
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    starts = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
    sums = np.add.reduceat(amounts[picked][order], starts)
    return codes[starts], sums, np.diff(np.concatenate((starts, [len(codes)])))


def _swapped(value: int) -> set[int]:
    """What is added when two neighbouring digits of an amount are exchanged."""
    digits = str(abs(value) // (UNITS // 100))  # to the cent
    sign = 1 if value >= 0 else -1
    return {
        sign
        * (int(digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :]) - int(digits))
        * (UNITS // 100)
        for at in range(len(digits) - 1)
        if digits[at] != digits[at + 1]
    }


def _shifted(value: int) -> set[int]:
    return {9 * value, *({value // 10 - value} if value % 10 == 0 else set())}


def mistyped(true: int, written: int) -> Both | None:
    """How one number becomes the other by a slip of the hand; None if it does not."""
    if written - true in _swapped(true):
        return Both("两位数字颠倒", "two digits exchanged")
    for power in (10, 100, 1000, 10_000):
        if written == true * power or written * power == true:
            return Both(
                f"差 {power} 倍", f"{power:,} times too {'large' if abs(written) > abs(true) else 'small'}"
            )
    if true and written == -true:
        return Both("正负号相反", "the opposite sign")
    return None
