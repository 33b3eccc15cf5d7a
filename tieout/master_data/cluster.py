"""Which records are one: what stewards ruled first, then the surest pairs, never against a ruling or a credit code.

Everything here is pure and independent of the order of its input. A group of records that no edge and no ruling links
to others comes out the same whether it is clustered alone or among all, which is what makes increments possible.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from tieout.master_data.decisions import Decision
from tieout.master_data.types import Edge

# Why a pair is shown to a steward.
UNCERTAIN = "uncertain"
CODES_DIFFER = "credit codes differ"
DECIDED_DIFFERENT = "decided different"
WOULD_JOIN_CODES = "would join different credit codes"
WOULD_JOIN_DECIDED = "would join records decided different"
WOULD_JOIN_DISTINCT = "would join two records of a system without duplicates"
CODES_JOINED = "decided the same, but credit codes differ"
OVERRULED = "decision overruled by a later one"
UNKNOWN = "decision on a record that no system ever sent"

DECIDED = "decided"  # the rule of everything that rests on a steward, not on a score


@dataclass(frozen=True, slots=True)
class Case:
    """A pair `a` < `b` that somebody should look at; `score` is null where a decision and not a score is the matter."""

    a: str
    b: str
    score: float | None
    rule: str
    evidence: str
    reason: str


@dataclass(frozen=True)
class Ruling:
    """What holds of the decisions once contradictions are settled: in each, the latest decision stands.

    It is about record ids, whether they exist now or not: A = B and B = C keep A and C together when B is deleted.
    """

    same: tuple[Decision, ...] = ()
    different: tuple[Decision, ...] = ()
    overruled: tuple[tuple[Decision, tuple[Decision, ...]], ...] = ()  # each with what it contradicts
    groups: Mapping[str, frozenset[str]] = field(
        default_factory=dict
    )  # smallest record → all decided the same
    group_of: Mapping[str, str] = field(default_factory=dict)  # record in any decision → its group
    apart: frozenset[tuple[str, str]] = frozenset()  # pairs of groups, smaller first

    def parts(self, a: str, b: str) -> bool:
        """Whether it was decided that these two differ, directly or by what they were decided to be."""
        one, other = self.group_of.get(a), self.group_of.get(b)
        return one is not None and other is not None and (min(one, other), max(one, other)) in self.apart


@dataclass(frozen=True)
class Clustering:
    """Every record is in exactly one of `clusters`; `cases` are the pairs left to people."""

    clusters: list[frozenset[str]]
    cases: list[Case]


def ruling(decisions: Iterable[Decision]) -> Ruling:
    """Settle what stewards said of pairs: from the latest to the earliest, each holds unless a later one forbids it."""
    pairs = [item for item in decisions if item.kind in ("same", "different")]
    forest = _Forest()
    linked: dict[str, list[tuple[str, Decision]]] = defaultdict(list)  # a spanning forest of what holds
    enemies: dict[str, dict[str, Decision]] = defaultdict(
        dict
    )  # root → root it must stay apart from, by whom
    same, different, overruled = [], [], []
    for item in sorted(pairs, key=lambda item: (item.at, item.id), reverse=True):
        a, b = item.pair
        one, other = forest.root(a), forest.root(b)
        if item.kind == "different":
            if one == other:
                overruled.append((item, _path(linked, a, b)))
                continue
            enemies[one].setdefault(other, item)
            enemies[other].setdefault(one, item)
            different.append(item)
        elif other in enemies[one]:
            apart = enemies[one][other]
            left, right = apart.pair if forest.root(apart.pair[0]) == one else apart.pair[::-1]
            # two that must stay apart, and what ties each of this pair to one of them
            overruled.append((item, (apart, *_path(linked, a, left), *_path(linked, b, right))))
        else:
            same.append(item)
            if one == other:
                continue
            linked[a].append((b, item))
            linked[b].append((a, item))
            root = forest.union(one, other)
            gone = other if root == one else one
            for enemy, by in enemies.pop(gone, {}).items():
                del enemies[enemy][gone]
                enemies[enemy].setdefault(root, by)
                enemies[root].setdefault(enemy, by)
    members: dict[str, list[str]] = defaultdict(list)
    for record in forest.records():
        members[forest.root(record)].append(record)
    groups = {min(group): frozenset(group) for group in members.values()}
    group_of = {record: name for name, group in groups.items() for record in group}
    parted = (sorted((group_of[item.pair[0]], group_of[item.pair[1]])) for item in different)
    return Ruling(
        tuple(same[::-1]),
        tuple(different[::-1]),
        tuple(overruled[::-1]),
        groups,
        group_of,
        frozenset((one, other) for one, other in parted),
    )


def joined_codes(rules: Ruling, exclusive: Mapping[str, str]) -> tuple[dict[str, str], list[Case]]:
    """Codes that count as one because a steward joined records that carry them: code → smallest of its kind.

    Without this, correcting one mistyped code by `same` would tear the record away from the others with its code.
    Returns: the codes, only those that differ from the smallest; and a case for each decision that joined two.
    """
    joined, cases = _Forest(), []
    for group in rules.groups.values():
        if len({exclusive[record] for record in group if record in exclusive}) < 2:
            continue
        inside = _Forest()
        codes: dict[str, set[str]] = defaultdict(set)
        for record in group:
            if record in exclusive:
                codes[record].add(exclusive[record])
        for item in rules.same:
            if item.pair[0] not in group:
                continue
            one, other = inside.root(item.pair[0]), inside.root(item.pair[1])
            left, right = codes.pop(one, set()), codes.pop(other, set())
            codes[inside.union(one, other)] = left | right
            if not (left <= right or right <= left):
                text = f"{', '.join(sorted(left))} and {', '.join(sorted(right))}; {item}"
                cases.append(Case(*item.pair, None, DECIDED, text, CODES_JOINED))
        first, *others = {exclusive[record] for record in group if record in exclusive}
        for other in others:
            joined.union(joined.root(first), joined.root(other))
    kinds: dict[str, list[str]] = defaultdict(list)
    for code in joined.records():
        kinds[joined.root(code)].append(code)
    smallest = {code: min(kind) for kind in kinds.values() for code in kind}
    return {code: least for code, least in smallest.items() if code != least}, cases


def cluster(
    records: Collection[str],
    edges: Iterable[Edge],
    *,
    auto: float,
    exclusive: Mapping[str, str],
    decisions: Iterable[Decision] = (),
    distinct: Mapping[str, str] | None = None,
) -> Clustering:
    """Join what stewards decided is the same, then pairs by falling score; refuse what may not be together.

    Args:
        records: Ids; edges and decisions on others join nothing.
        edges: Any order; a pair below `auto` never joins, it is for review.
        exclusive: Record → value (a valid credit code) of which one cluster holds at most one.
        decisions: Those that count (`decisions.active`); they may contradict each other, the latest holds.
        distinct: Record → system, for systems that hold nobody twice; one cluster takes one record of each. An edge
            between two records of such a system is what the system itself says, and may join them.

    Returns: clusters by smallest id, and the cases by falling score. A steward may join different codes or two records
        of one system: that holds, and codes joined are reported.
    """
    records = frozenset(records)
    here = {record: code for record, code in exclusive.items() if record in records}
    rules = ruling(decisions)
    codes, cases = joined_codes(rules, here)
    alike = {record: codes.get(code, code) for record, code in here.items()}
    every = list(edges)
    clusters = partition(records, every, auto=auto, exclusive=alike, rules=rules, distinct=distinct)
    label = {record: str(place) for place, one in enumerate(clusters) for record in one}
    cases += overruled_cases(rules)
    cases += open_cases(every, label, auto=auto, exclusive=alike, rules=rules, distinct=distinct)
    return Clustering(clusters, in_order(cases))


def partition(
    records: Collection[str],
    edges: Iterable[Edge],
    *,
    auto: float,
    exclusive: Mapping[str, str],
    rules: Ruling,
    distinct: Mapping[str, str] | None = None,
) -> list[frozenset[str]]:
    """The clusters alone; `exclusive` already takes codes a steward joined for one (`joined_codes`)."""
    # Numbers in the order of ids: comparing them is comparing ids, and lists are faster than dicts.
    names = sorted(records)
    number = {record: place for place, record in enumerate(names)}
    parent = list(range(len(names)))
    size = [1] * len(names)
    code = [exclusive.get(record) for record in names]
    enemies: dict[int, set[int]] = {}
    origin = {number[record]: system for record, system in (distinct or {}).items() if record in number}
    systems = {place: {system} for place, system in origin.items()}

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    def join(one: int, other: int) -> None:
        if size[one] < size[other]:
            one, other = other, one
        parent[other] = one
        size[one] += size[other]
        code[one] = code[one] or code[other]
        if other in systems:
            systems[one] = systems.get(one, set()) | systems.pop(other)
        for enemy in enemies.pop(other, ()):
            enemies[enemy].discard(other)
            enemies[enemy].add(one)
            enemies.setdefault(one, set()).add(enemy)

    present: dict[str, int] = {}
    for name, group in rules.groups.items():
        inside = [number[record] for record in group if record in number]
        for place in inside[1:]:
            one, other = root(inside[0]), root(place)
            if one != other:
                join(one, other)
        if inside:
            present[name] = inside[0]
    for left, right in rules.apart:
        if left in present and right in present:
            one, other = root(present[left]), root(present[right])
            enemies.setdefault(one, set()).add(other)
            enemies.setdefault(other, set()).add(one)

    sure = [
        (-edge.score, *sorted((number[edge.a], number[edge.b])))
        for edge in edges
        if edge.score >= auto and edge.a in number and edge.b in number
    ]
    sure.sort()
    for _, a, b in sure:
        one, other = root(a), root(b)
        if one == other or (code[one] and code[other] and code[one] != code[other]):
            continue
        if one in enemies and other in enemies[one]:
            continue
        if (
            one in systems
            and other in systems
            and systems[one] & systems[other]
            and (a not in origin or origin[a] != origin.get(b))
        ):
            continue
        join(one, other)

    found: dict[int, list[str]] = {}
    for place, record in enumerate(names):
        found.setdefault(root(place), []).append(record)
    return [frozenset(members) for members in found.values()]


def open_cases(
    edges: Iterable[Edge],
    label: Mapping[str, str],
    *,
    auto: float,
    exclusive: Mapping[str, str],
    rules: Ruling,
    distinct: Mapping[str, str] | None = None,
) -> list[Case]:
    """Pairs whose records ended in different clusters, each with what keeps them apart.

    `label` names the cluster of every record. What once forbade a union still does at the end, since clusters only
    grow: so the reason is read from the result. An uncertain pair that a steward has parted is settled, and left out.
    """
    apart = [edge for edge in edges if edge.a in label and edge.b in label and label[edge.a] != label[edge.b]]
    asked = {label[record] for edge in apart for record in (edge.a, edge.b)}
    codes = {label[record]: value for record, value in exclusive.items() if label.get(record) in asked}
    systems: dict[str, set[str]] = defaultdict(set)
    for record, system in (distinct or {}).items():
        if label.get(record) in asked:
            systems[label[record]].add(system)
    enemies: set[tuple[str, str]] = set()
    for left, right in rules.apart:
        for one in {label[r] for r in rules.groups[left] if r in label}:
            for other in {label[r] for r in rules.groups[right] if r in label}:
                enemies |= {(one, other), (other, one)}

    def reason(edge: Edge) -> str | None:
        if rules.parts(edge.a, edge.b):
            return DECIDED_DIFFERENT if edge.score >= auto else None
        mine, theirs = exclusive.get(edge.a), exclusive.get(edge.b)
        if mine and theirs and mine != theirs:
            return CODES_DIFFER
        one, other = label[edge.a], label[edge.b]
        if (one, other) in enemies:
            return WOULD_JOIN_DECIDED
        if one in codes and other in codes and codes[one] != codes[other]:
            return WOULD_JOIN_CODES
        if one in systems and other in systems and systems[one] & systems[other]:
            return WOULD_JOIN_DISTINCT
        return UNCERTAIN

    found = ((edge, reason(edge)) for edge in apart)
    return [
        Case(min(e.a, e.b), max(e.a, e.b), e.score, e.rule, e.evidence, why)
        for e, why in found
        if why is not None
    ]


def overruled_cases(rules: Ruling) -> list[Case]:
    """A case for each decision that a later one contradicts, with both."""
    return [
        Case(*item.pair, None, DECIDED, f"{item}; against: {' | '.join(map(str, against))}", OVERRULED)
        for item, against in rules.overruled
    ]


def in_order(cases: Iterable[Case]) -> list[Case]:
    """What rests on decisions first, then by falling score, then by id."""
    return sorted(
        cases,
        key=lambda case: (
            case.score is not None,
            -(case.score or 0.0),
            case.a,
            case.b,
            case.reason,
            case.rule,
            case.evidence,
        ),
    )


class _Forest:
    """Disjoint sets of names."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, name: str) -> str:
        parent = self._parent
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    def union(self, one: str, other: str) -> str:
        """Join two roots; returns the one that stays."""
        self._parent[max(one, other)] = min(one, other)
        return min(one, other)

    def records(self) -> list[str]:
        return list(self._parent)


def _path(linked: Mapping[str, list[tuple[str, Decision]]], a: str, b: str) -> tuple[Decision, ...]:
    """The decisions that make `a` and `b` the same; they are linked."""
    came: dict[str, tuple[str, Decision] | None] = {a: None}
    ahead = [a]
    for record in ahead:
        for other, by in linked.get(record, ()):
            if other not in came:
                came[other] = record, by
                ahead.append(other)
    path, step = [], came[b]
    while step is not None:
        path.append(step[1])
        step = came[step[0]]
    return tuple(path)
