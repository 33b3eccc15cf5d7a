"""Which findings are about which planted faults, and how good that is.

A finding is about a fault if it points at one of the rows that the fault changed, or at one of the documents they
belong to: never by period, amount or department alone. A batch that is held, or a row set aside for its shape, is about a
fault of its whole source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tieout.detection.clean import Proof
from tieout.detection.expected import TRUE_OF_THE_SAMPLE, followed_from, said_of, said_right
from tieout.detection.finding import Finding
from tieout.detection.key import EVERYTHING, Fault, belongs


@dataclass(frozen=True)
class Matched:
    """One fault and what was said of it.

    `cause_right`: something said about it names its cause, and nothing that points at a row of it names only the cause of
    another kind, unless a fault of that kind is there too. `residual` is what of its amount no finding with the right
    cause accounts for; None if it has no amount, or nothing with the right cause states one.
    """

    fault: Fault
    found: tuple[Finding, ...]
    cause_right: bool
    misled: tuple[str, ...]
    residual: Decimal | None

    @property
    def detected(self) -> bool:
        return bool(self.found)


def is_about(finding: Finding, fault: Fault) -> bool:
    """Whether a finding points at a fault."""
    if finding.kind == "hold" or (finding.kind == "quarantine" and said_right("schema-drift", finding.says)):
        sources = {source for source, _, _ in finding.rows}
        return any(
            stream == EVERYTHING and any(belongs(source, system) for source in sources)
            for system, stream, _ in fault.rows
        )
    return bool(finding.rows & fault.rows or finding.documents & fault.documents)


def matched(faults: Sequence[Fault], findings: Sequence[Finding]) -> list[Matched]:
    """Every fault that still shows, with what was said of it."""
    showing = [fault for fault in faults if fault.shows]
    return [_matched(fault, showing, findings) for fault in showing]


def unfounded(
    faults: Sequence[Fault], findings: Sequence[Finding], roots: Sequence[Finding] = ()
) -> list[Finding]:
    """Findings that are about no fault that was planted, nor follow from one, nor have one that is about it as their cause."""
    kinds = {fault.kind for fault in faults}
    caused = frozenset[tuple[str, str]]().union(
        *(root.parts for root in roots if any(is_about(root, fault) for fault in faults))
    )
    return [
        finding for finding in findings
        if not any(is_about(finding, fault) for fault in faults)
        and not any(followed_from(finding.says, kind) for kind in kinds)
        and (finding.rule, finding.group) not in caused
    ]  # fmt: skip


def causes(faults: Sequence[Fault], roots: Sequence[Finding]) -> tuple[list[int], list[int]]:
    """How many faults each case is about, and how many cases each fault that shows in the data has.

    A renamed field is left out: its batches are held, nothing of it comes to be compared.
    """
    asked = [
        fault
        for fault in faults
        if fault.shows and not any(stream == EVERYTHING for _, stream, _ in fault.rows)
    ]
    return (
        [sum(is_about(root, fault) for fault in asked) for root in roots],
        [sum(is_about(root, fault) for root in roots) for fault in asked],
    )


def false_alarms(clean: Sequence[Finding], proof: Proof = lambda _: None) -> list[Finding]:
    """What is said of the clean company though `proof` does not hold it; or, where no key speaks of such things, though
    nobody has found it to be true."""
    return [
        item for item in clean
        if not (proof(item) or (proof(item) is None and item.rule in TRUE_OF_THE_SAMPLE))
    ]  # fmt: skip


def _matched(fault: Fault, faults: Sequence[Fault], findings: Sequence[Finding]) -> Matched:
    found = tuple(item for item in findings if is_about(item, fault))
    right = [item for item in found if said_right(fault.kind, item.says)]
    misled = sorted({
        item.says for item in found
        if item.rows & fault.rows and (kinds := said_of(item.says)) and fault.kind not in kinds
        and not any(other.kind in kinds and is_about(item, other) for other in faults)
    })  # fmt: skip
    return Matched(fault, found, bool(right) and not misled, tuple(misled), _residual(fault, right))


def _residual(fault: Fault, right: Sequence[Finding]) -> Decimal | None:
    """The best of each rule's word: one finding alone, or all of one rule together where it speaks row by row."""
    if not fault.amount:
        return None
    rules: dict[str, list[Decimal]] = {}
    for item in right:
        if item.amount is not None:
            rules.setdefault(item.rule, []).append(abs(item.amount))
    offers = [offer for amounts in rules.values() for offer in (*amounts, sum(amounts, Decimal(0)))]
    return min((abs(fault.amount - offer) for offer in offers), default=None)
