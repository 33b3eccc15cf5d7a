"""A claim that lists its documents, matched with the documents of the governed figure: exact by construction."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from tieout.claimed.claims import Line
from tieout.claimed.documents import by_document, mistyped
from tieout.claimed.explain import MOST_DOCUMENTS, Cause, Document, Explanation, Reading
from tieout.claimed.rows import Rows, amount, units
from tieout.claimed.values import plain
from tieout.pages.words import Both

if TYPE_CHECKING:
    import numpy as np


def match(details: Sequence[Line], reading: Reading) -> Explanation:
    """Document by document: left out, unknown, of another period, counted twice, with another amount; residual 0."""
    matching = _Matching(reading)
    found: dict[tuple[str, Both], list[Document]] = {}
    claimed: dict[str, list[Line]] = {}
    for line in details:
        claimed.setdefault(plain(line.document), []).append(line)
    for number, lines in claimed.items():
        difference = sum((line.figure.value for line in lines), Decimal(0)) - matching.governed(number)
        if difference:
            found.setdefault(matching.reason(number, lines), []).append(
                Document(lines[0].document, difference)
            )
    for number, value in matching.amounts.items():
        if number not in claimed and value:
            cause = ("returns", Both("退货单未计入", "returns left out")) if value < 0 else _LEFT_OUT
            found.setdefault(cause, []).append(Document(matching.said[number], -value))
    causes = [_cause(kind, title, documents) for (kind, title), documents in found.items()]
    causes.sort(key=lambda cause: -abs(cause.amount))
    return Explanation(tuple(causes), Decimal(0), 0.0)


_LEFT_OUT = ("missing", Both("单据未计入", "documents left out"))


def _cause(kind: str, title: Both, documents: list[Document]) -> Cause:
    documents.sort(key=lambda item: -abs(item.amount))
    total = sum((item.amount for item in documents), Decimal(0))
    return Cause(kind, title, total, tuple(documents[:MOST_DOCUMENTS]), len(documents))


class _Matching:
    def __init__(self, reading: Reading) -> None:
        self.rows: Rows = reading.rows
        rows = reading.rows
        first = reading.start if rows.kind == "rows" else None
        self.time = rows.within(first, rows.until(reading.start, reading.end))
        self.scope = rows.of(reading.filters)
        self.cell = rows.counted & self.time & self.scope
        self.said = {plain(name): name for name in rows.names}
        self.amounts = self._sums(rows.amounts, self.cell)
        self._read_otherwise = [
            (one.cause, one.title, self._sums(one.amounts, self.cell)) for one in rows.measured
        ]
        self._elsewhere = [
            ("timing", Both("属于其他期间的单据", "documents of another period"), rows.counted & self.scope & ~self.time),
            ("status", Both("不符合口径条件的单据（草稿、取消等）", "documents the metric does not count: drafts, cancelled"),
             ~rows.counted & self.time & self.scope),
            ("scope", Both("范围之外的单据", "documents outside the filter"), rows.counted & self.time & ~self.scope),
        ]  # fmt: skip
        self._places = [
            (kind, title, set(self._sums(rows.amounts, mask))) for kind, title, mask in self._elsewhere
        ]

    def _sums(self, amounts: np.ndarray, mask: np.ndarray) -> dict[str, Decimal]:
        """Number → what it adds; two systems may have the same number."""
        found: dict[str, Decimal] = {}
        codes, sums, _ = by_document(self.rows, amounts, mask)
        for code, value in zip(codes, sums, strict=True):
            number = plain(self.rows.names[int(code)])
            found[number] = found.get(number, Decimal(0)) + amount(int(value))
        return found

    def governed(self, number: str) -> Decimal:
        return self.amounts.get(number, Decimal(0))

    def reason(self, number: str, lines: Sequence[Line]) -> tuple[str, Both]:
        """Why a claimed document differs."""
        total = sum((line.figure.value for line in lines), Decimal(0))
        if number not in self.amounts:
            for kind, title, numbers in self._places:
                if number in numbers:
                    return kind, title
            return "unknown_document", Both("数据中没有这些单据", "documents nobody knows")
        governed = self.amounts[number]
        if len(lines) > 1 and total == governed * len(lines):
            return "duplicate", Both("同一单据列了多次", "documents listed more than once")
        for kind, title, sums in self._read_otherwise:
            if sums.get(number) == total:
                return kind, title
        for rate in self.rows.rates:
            if (governed * (1 + rate)).quantize(Decimal("0.01")) == total:
                return "tax", Both("含税而非不含税", "tax included instead of excluded")
        step = max(line.figure.step for line in lines)
        if step > Decimal("0.01") and abs(total - governed) <= step / 2:
            return "rounding", Both(f"四舍五入到 {step.normalize():f}", f"rounded to {step.normalize():f}")
        if slip := mistyped(units(governed), units(total)):
            return "keying", Both(f"录错：{slip.zh}", f"typed wrongly: {slip.en}")
        return "amount", Both("金额不同", "amounts differ")
