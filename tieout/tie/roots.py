"""Which of all findings have one cause: what identities cannot explain, and where documents contradict each other.

An identity knows that two sides differ and by which documents; it can only say what the difference looks like. A
contradiction (`marts.fct_data_case`) names what is wrong with one document. Both meet here: by the document or row they
name, by the chain of documents (an order's currency shows in its deliveries, invoices and receipts), and, where only sums
can be compared, by the amount to the cent. What fits two causes equally well is left on its own.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from tieout.engine import relations
from tieout.tie.sums import Sums

if TYPE_CHECKING:
    import duckdb

# Of documents, those that led to each and those it led to, itself among them.
Chains = Callable[[Collection[str]], Mapping[str, frozenset[str]]]
CONTRADICTION = "documents_do_not_contradict"  # stands where findings of identities have their identity

# So many documents of one identity that look alike are one broken rule and not so many broken documents.
_ALIKE = 10
# A finding with more source rows than this is about a sum: its rows do not say which of them is wrong.
_PRECISE = 6
# Of VAT: identities count net, contradictions speak of whole documents.
_TAX_RATES = tuple(map(Decimal, ("0", "0.13", "0.09", "0.06", "0.05", "0.03", "0.01")))
_HOPS = 4  # order of a subsidiary, order, delivery, invoice, receipt
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_DOCUMENT = re.compile(r"[^\s,;:()]*\d{4}[^\s,;:()]*")
# What a case is called after: the suspects that say most, the sums that say least last.
_TELLING = (
    "duplicate",
    "cutoff",
    "tax",
    "missing_left",
    "missing_right",
    "mapping",
    "rounding",
    "amount",
    "quantity",
)


@dataclass(frozen=True)
class Finding:
    """What one identity cannot explain of one document in one group, or what contradicts other documents in one.

    Of a contradiction `identity` is CONTRADICTION, `suspect` its kind, `group_key` what its cause is about.
    """

    identity: str
    group_key: str
    document: str | None
    suspect: str
    amount: Decimal  # right less left and causes; of a contradiction what is at stake
    unit: str
    strong: bool
    owner: str
    evidence: tuple[str, ...]  # source/stream/record
    mentions: tuple[str, ...] = ()  # other documents a contradiction names

    @property
    def is_contradiction(self) -> bool:
        return self.identity == CONTRADICTION

    @property
    def names_document(self) -> bool:
        """Whether the document is one that people quote: a day is none."""
        return self.document is not None and not _DAY.fullmatch(self.document)

    @property
    def is_sum(self) -> bool:
        """Whether it is off as a whole and no document of it is known."""
        return not (self.is_contradiction or self.document)

    @property
    def about(self) -> str | None:
        """The document, or what all documents of one contradiction have in common: a customer's code, a system."""
        return self.group_key if self.is_contradiction else self.document

    @property
    def members(self) -> frozenset[str]:
        """The customers, products, months it is about; of a contradiction what else it names."""
        return frozenset(self.mentions if self.is_contradiction else self.group_key.split(" | "))

    def anchors(self) -> set[str]:
        """What two findings of one cause have in common."""
        # without a document it is a sum over a group: a row that fits its amount may do so by chance
        names = (
            {f"row {name}" for name in self.evidence}
            if self.document is not None and len(self.evidence) <= _PRECISE
            else set()
        )
        if self.names_document:
            names.add(f"document {self.document}")
        if self.is_contradiction:
            names.add(f"cause {self.suspect} {self.group_key}")
        return names or {f"group {self.identity} {self.group_key} {self.document or ''}".rstrip()}


@dataclass(frozen=True)
class Root:
    """Findings of one run that have one cause."""

    findings: tuple[Finding, ...]
    anchors: frozenset[str] = field(compare=False)

    @property
    def main(self) -> Finding:
        """The finding the case is called after: a contradiction, or else of a document, in money, strong, the most telling
        one, the largest."""
        return min(
            self.findings,
            key=lambda it: (not it.is_contradiction, not it.names_document, len(it.unit) != 3, not it.strong,
                            _rank(it.suspect), -abs(it.amount), it.identity, it.group_key, it.document or ""),
        )  # fmt: skip

    @property
    def amount(self) -> Decimal:
        """What it moves: of the identity it is called after all amounts that look alike; what only changed its place once."""
        alike = [
            it.amount
            for it in self.findings
            if (it.identity, it.suspect, it.unit) == (self.main.identity, self.main.suspect, self.main.unit)
        ]
        total = sum(alike, Decimal(0))
        return total or max(alike)


def findings(con: duckdb.DuckDBPyConnection) -> list[Finding]:
    """Every unexplained amount of the identities as they stand in schema `tie`."""
    rows = con.execute(
        """select b.identity, b.group_key, b.items, r.unit, r.severity, b.owner
        from tie.identity_break as b join tie.identity_result as r using (identity)
        where b.cause = 'unexplained' and b.status = 'broken' order by all"""
    ).fetchall()
    return [
        Finding(
            identity, group_key, item["document"], item["suspect"], Decimal(item["amount"]), unit,
            severity == "critical", owner, tuple(item["evidence"]),
        )
        for identity, group_key, items, unit, severity, owner in rows
        for item in json.loads(items)
    ]  # fmt: skip


def contradictions(con: duckdb.DuckDBPyConnection) -> list[Finding]:
    """Every document that contradicts others, as `marts.fct_data_case` names it; none where there is no such table."""
    if "marts.fct_data_case" not in relations(con):
        return []
    rows = con.execute(
        """select case_kind, cause_subject, subject, detail, coalesce(amount_txn, 0), coalesce(currency_code, ''), owner,
            concat_ws('/', source_system, source_stream, source_record)
        from marts.fct_data_case where cause_subject is not null order by all"""
    ).fetchall()
    return [
        Finding(
            CONTRADICTION, about, subject, kind, amount, unit, False, owner, (row,),
            tuple(sorted(name for name in {*_DOCUMENT.findall(detail)} - {subject} if not _DAY.fullmatch(name))),
        )
        for kind, about, subject, detail, amount, unit, owner, row in rows
    ]  # fmt: skip


def roots(found: Sequence[Finding], chains: Chains) -> list[Root]:
    """Findings grouped by cause: by common documents and rows, alike ones of one identity, chains, sums by their amount.

    Args:
        chains: Of documents, those that led to each and those it led to; asked once.
    """
    groups = _Groups(found)
    named: dict[str, list[int]] = defaultdict(list)
    alike: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, item in enumerate(found):
        if item.is_sum:
            continue
        if not item.is_contradiction:
            alike[item.identity, item.suspect].append(place)
        for name in item.anchors():
            named[name].append(place)
    _join_alike(groups, alike, named)
    for places in named.values():
        groups.join(places)
    _follow_chains(groups, chains)
    _attach_sums(groups)
    alike.clear()
    for group in groups.all():
        first = group[0]
        if groups.found[first].is_sum:  # it showed no case
            named[f"group {groups.found[first].identity} {groups.found[first].group_key}"].append(first)
            alike[groups.found[first].identity, groups.found[first].suspect].append(first)
    _join_alike(groups, alike, named)
    anchors: dict[int, set[str]] = defaultdict(set)
    for name, places in named.items():
        for place in places:
            anchors[place].add(name)
    return [
        Root(
            tuple(groups.found[place] for place in places),
            frozenset().union(*(anchors[place] for place in places)),
        )
        for places in groups.all()
    ]


def _join_alike(
    groups: _Groups, alike: Mapping[tuple[str, str], list[int]], named: dict[str, list[int]]
) -> None:
    """Many that look alike in one identity are one cause, which has a name of its own."""
    for (identity, suspect), places in alike.items():
        if len(places) >= _ALIKE:
            named[f"alike {identity} {suspect}"] = places
            groups.join(places)


def chains(con: duckdb.DuckDBPyConnection) -> Chains:
    """What `marts.fct_document_link` knows of documents: those that led to each and those it led to, never sideways."""
    known = "marts.fct_document_link" in relations(con)

    def reached(documents: Sequence[str], here: str, there: str) -> set[tuple[str, str]]:
        every = edge = {(document, document) for document in documents}
        for _ in range(_HOPS):
            # as JSON: lists of parameters make DuckDB import pandas, which costs more than all of this
            found = con.execute(
                f"""select distinct edge.pair[1], links.{there}
                from (select unnest(from_json(?, '[["VARCHAR"]]')) as pair) as edge
                join marts.fct_document_link as links on edge.pair[2] = links.{here}""",
                [json.dumps(sorted(edge))],
            ).fetchall()
            edge = set(found) - every
            if not edge:
                break
            every = every | edge
        return every

    def chain(documents: Collection[str]) -> dict[str, frozenset[str]]:
        asked = sorted(documents)
        chained: dict[str, set[str]] = {document: {document} for document in asked}
        if known and asked:
            for start, document in (
                *reached(asked, "from_no", "to_no"),
                *reached(asked, "to_no", "from_no"),
            ):
                chained[start].add(document)
        return {start: frozenset(every) for start, every in chained.items()}

    return chain


class _Groups:
    """Findings that were joined so far (union-find)."""

    def __init__(self, found: Sequence[Finding]) -> None:
        self.found = list(found)
        self._dropped: set[int] = set()
        self._parents = list(range(len(found)))

    def top(self, place: int) -> int:
        while self._parents[place] != place:
            self._parents[place] = self._parents[self._parents[place]]
            place = self._parents[place]
        return place

    def join(self, places: Iterable[int]) -> None:
        first, *others = places
        for place in others:
            self._parents[self.top(place)] = self.top(first)

    def split(self, place: int, parts: Sequence[tuple[int, Decimal]]) -> None:
        """Give each of several groups, named by one of its findings, its part of the amount of a finding."""
        for other, amount in parts:
            self.found.append(replace(self.found[place], amount=amount))
            self._parents.append(self.top(other))
        self._dropped.add(place)

    def all(self) -> list[list[int]]:
        members: dict[int, list[int]] = defaultdict(list)
        for place in range(len(self.found)):
            if place not in self._dropped:
                members[self.top(place)].append(place)
        return list(members.values())

    def named(self) -> tuple[list[list[int]], list[list[int]]]:
        """Those with a contradiction in them, which is their cause; and the others."""
        known, others = [], []
        for group in self.all():
            named = any(self.found[place].is_contradiction for place in group)
            (known if named else others).append(group)
        return known, others


def _follow_chains(groups: _Groups, chains: Chains) -> None:
    """What an identity says of a document further up or down the chain of one that contradicts others.

    Amounts in one currency have to fit to the cent, one by one or all that one identity says of the chain together; pieces
    and other currencies cannot be held against them, and what a contradiction names itself needs no amount.
    """
    known, unknown = groups.named()
    if not known or not unknown:
        return
    starts = [_documents(groups.found, group) for group in known]
    chained = chains(frozenset().union(*starts))
    naming: dict[str, set[int]] = defaultdict(set)
    reaching: dict[str, set[int]] = defaultdict(set)
    for place, names in enumerate(starts):
        for name in names:
            naming[name].add(place)
            for document in chained[name]:
                reaching[document].add(place)
    near: dict[int, list[list[int]]] = defaultdict(list)
    for group in unknown:
        items = [groups.found[place] for place in group]
        documents = {item.document or "" for item in items if item.names_document}
        if not documents:
            continue
        named = set.intersection(*(naming.get(name, set()) for name in documents))
        if len(named) == 1:
            groups.join([known[named.pop()][0], group[0]])
            continue
        for place in set.intersection(*(reaching.get(name, set()) for name in documents)):
            near[place].append(group)
    takers: dict[int, list[int]] = defaultdict(list)  # of an unknown group: known ones whose amount it fits
    for place, candidates in near.items():
        stakes = _stakes(groups.found, known[place])
        for fitting in _fitting(groups.found, candidates, stakes):
            takers[fitting[0]].append(place)
    for first, places in takers.items():
        if len(places) == 1:
            groups.join([known[places[0]][0], first])


def _documents(found: Sequence[Finding], group: list[int]) -> frozenset[str]:
    """What the contradictions of a group name."""
    named = [found[place] for place in group if found[place].is_contradiction]
    return frozenset(name for item in named for name in (item.document, *item.mentions) if name)


def _stakes(found: Sequence[Finding], group: list[int]) -> dict[str, set[Decimal]]:
    """By currency, what the contradictions of a group put at stake: each, and all together, as it is and without tax."""
    amounts: dict[str, list[Decimal]] = defaultdict(list)
    for place in group:
        if found[place].is_contradiction and found[place].unit:
            amounts[found[place].unit].append(abs(found[place].amount))
    return {
        unit: {
            (gross / (1 + rate)).quantize(gross) if rate else gross
            for gross in (*each, sum(each, Decimal(0)))
            for rate in _TAX_RATES
        }
        for unit, each in amounts.items()
    }


def _fitting(
    found: Sequence[Finding], candidates: list[list[int]], stakes: dict[str, set[Decimal]]
) -> list[list[int]]:
    """Those of the candidates whose amounts are what is at stake, or cannot be held against it."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for group in candidates:
        for place in group:
            sums[found[place].identity, found[place].unit] += found[place].amount

    def fits(item: Finding) -> bool:
        asked = stakes.get(item.unit)
        return asked is None or abs(item.amount) in asked or abs(sums[item.identity, item.unit]) in asked

    return [group for group in candidates if all(fits(found[place]) for place in group)]


def _attach_sums(groups: _Groups) -> None:
    """Each sum goes to the case it shows; one that is several cases together is parted among them."""
    cases = [group for group in groups.all() if not groups.found[group[0]].is_sum]
    known = Sums([[groups.found[place] for place in group] for group in cases], groups.found)
    for place, item in enumerate(list(groups.found)):
        if item.is_sum and (parts := known.parts(item)):
            groups.split(place, [(cases[case][0], amount) for case, amount in parts])


def _rank(suspect: str) -> int:
    return _TELLING.index(suspect) if suspect in _TELLING else len(_TELLING)
