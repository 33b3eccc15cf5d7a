"""The life of a break: one case for one root cause, over all identities and groups in which it shows, from run to run.

What an identity cannot explain is kept document by document. Findings that name the same document or the same source
row have one cause: they are one case. A case keeps its id as long as any of its documents or rows comes back, so it
ages, changes its amount, closes itself when no run finds it any more, and opens again as the same case. All of that
is read from the history (`ops.tie_case_run`, one row per run and case); nothing has to be closed by hand.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from tieout.tie.results import TieError

if TYPE_CHECKING:
    import duckdb

NOTE = "note-case"  # kind of the decision that keeps a note

# So many documents of one identity that look alike are one broken rule and not so many broken documents.
_ALIKE = 10
# A finding with more source rows than this is about a sum: its rows do not say which of them is wrong.
_PRECISE = 6
_ANCHORS = 200  # names kept of one case: enough to know it again
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
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
    """What one identity cannot explain of one document in one group."""

    identity: str
    group_key: str
    document: str | None
    suspect: str
    amount: Decimal  # right less left and causes
    unit: str
    strong: bool
    owner: str
    evidence: tuple[str, ...]  # source/stream/record

    @property
    def names_document(self) -> bool:
        """Whether the document is one that people quote: a day is none."""
        return self.document is not None and not _DAY.fullmatch(self.document)

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
        return names or {f"group {self.identity} {self.group_key} {self.document or ''}".rstrip()}


@dataclass(frozen=True)
class Root:
    """Findings of one run that have one cause."""

    findings: tuple[Finding, ...]
    anchors: frozenset[str] = field(compare=False)

    @property
    def main(self) -> Finding:
        """The finding the case is called after: of a document, in money, strong, the most telling one, the largest."""
        return min(
            self.findings,
            key=lambda it: (not it.names_document, len(it.unit) != 3, not it.strong, _rank(it.suspect), -abs(it.amount),
                            it.identity, it.group_key),
        )  # fmt: skip

    @property
    def amount(self) -> Decimal:
        """What it moves: of the identity it is called after all amounts that look alike; what only changed its place once."""
        alike = [
            it.amount
            for it in self.findings
            if (it.identity, it.suspect) == (self.main.identity, self.main.suspect)
        ]
        total = sum(alike, Decimal(0))
        return total or max(alike)


@dataclass(frozen=True)
class Case:
    """One root cause as the history knows it."""

    case_id: str
    state: Literal["open", "closed"]
    suspect: str
    identity: str  # that it is called after
    document: str | None
    owner: str
    amount: Decimal
    unit: str
    groups: int  # groups in which it showed last
    opened_run: str
    opened_at: datetime
    seen_run: str  # the last that found it
    seen_at: datetime
    runs: int
    reopened: int
    closed_run: str | None  # the first that did not find it any more
    closed_at: datetime | None
    identities: tuple[str, ...]


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


def roots(found: Sequence[Finding]) -> list[Root]:
    """Findings grouped by cause: by common documents and rows, alike ones of one identity, sums by their amount."""
    named: dict[str, list[int]] = defaultdict(list)
    alike: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, item in enumerate(found):
        alike[item.identity, item.suspect].append(place)
        for name in item.anchors():
            named[name].append(place)
    for (identity, suspect), places in alike.items():
        if len(places) >= _ALIKE:
            named[f"alike {identity} {suspect}"] = places
    parents = list(range(len(found)))

    def top(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    for places in named.values():
        for place in places[1:]:
            parents[top(place)] = top(places[0])
    members: dict[int, list[int]] = defaultdict(list)
    for place in range(len(found)):
        members[top(place)].append(place)
    _attach_sums(found, members)
    anchors: dict[int, set[str]] = defaultdict(set)
    for name, places in named.items():
        for place in places:
            anchors[place].add(name)
    return [
        Root(
            tuple(found[place] for place in places), frozenset().union(*(anchors[place] for place in places))
        )
        for places in members.values()
    ]


def _attach_sums(found: Sequence[Finding], members: dict[int, list[int]]) -> None:
    """A sum of many rows that is off by just what one case is off, to the cent, shows that case."""
    by_amount: dict[tuple[Decimal, str], set[int]] = defaultdict(set)
    for head, places in members.items():
        for place in places:
            if found[place].names_document:
                by_amount[abs(found[place].amount), found[place].unit].add(head)
    for head in list(members):
        places = members[head]
        if any(found[place].names_document for place in places):
            continue
        off = {(abs(found[place].amount), found[place].unit) for place in places}
        fits = set().union(*(by_amount[key] for key in off)) if len(off) == 1 else set()
        if len(fits) == 1:
            members[fits.pop()] += members.pop(head)


def record(con: duckdb.DuckDBPyConnection, run_id: str, checked_at: datetime) -> int:
    """Write this run's cases into the history; recording a run again replaces it. Returns how many are open.

    Args:
        con: Open connection to the warehouse; the caller owns the transaction.
        checked_at: Aware.
    """
    con.execute("delete from ops.tie_case_run where run_id = ?", [run_id])
    con.execute("delete from ops.tie_case_finding")  # those of the last run: what a case is made of now
    known: dict[str, str] = {}
    for case_id, text in con.execute(
        "select case_id, anchors from ops.tie_case_run order by checked_at desc, run_id, case_id desc"
    ).fetchall():
        known.update(dict.fromkeys(json.loads(text), case_id))  # the oldest case that had a name keeps it
    made = sorted(roots(findings(con)), key=lambda root: sorted(root.anchors))
    taken: dict[str, list[Root]] = defaultdict(list)
    for root in made:
        before = sorted(known[name] for name in root.anchors if name in known)
        taken[max(set(before), key=before.count) if before else _case_id(root.anchors)].append(root)
    for case_id, parts in taken.items():
        _write(con, run_id, checked_at, case_id, parts)
    return len(taken)


def _write(
    con: duckdb.DuckDBPyConnection, run_id: str, checked_at: datetime, case_id: str, parts: list[Root]
) -> None:
    whole = Root(
        tuple(item for part in parts for item in part.findings),
        frozenset().union(*(part.anchors for part in parts)),
    )
    main = whole.main
    con.execute(
        "insert into ops.tie_case_run values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            run_id, case_id, checked_at, main.suspect, main.identity, main.document, main.owner, whole.amount,
            main.unit, len({(item.identity, item.group_key) for item in whole.findings}),
            json.dumps(sorted({item.identity for item in whole.findings})),
            json.dumps(sorted(whole.anchors)[:_ANCHORS], ensure_ascii=False),
        ],
    )  # fmt: skip
    con.executemany(
        "insert into ops.tie_case_finding values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            [case_id, run_id, item.identity, item.group_key, item.document, item.suspect, item.amount, item.unit,
             json.dumps(item.evidence)]
            for item in whole.findings
        ],
    )  # fmt: skip


def cases(con: duckdb.DuckDBPyConnection, *, owner: str | None = None, closed: bool = False) -> list[Case]:
    """The cases, open ones first, each state by size.

    Args:
        owner: Only those of one department.
        closed: Also those that no run finds any more.

    Raises: TieError if no run was recorded, or no case ever had that owner.
    """
    if con.execute("select count(*) from ops.identity_result").fetchone() == (0,):
        raise TieError("No run has been recorded yet, so there are no cases. Run `tieout refresh` first.")
    found = [
        Case(*row[:-1], identities=tuple(json.loads(row[-1])))
        for row in con.execute(
            """select case_id, state, suspect, identity, document, owner, amount, unit, groups,
                opened_run, opened_at, seen_run, seen_at, runs, reopened, closed_run, closed_at, identities
            from ops.tie_case order by state desc, abs(amount) desc, case_id"""
        ).fetchall()
    ]
    if owner is not None and found and owner not in (owners := sorted({item.owner for item in found})):
        raise TieError(f"No case belongs to {owner!r}. Owners of cases: {', '.join(owners)}.")
    return [
        item for item in found if (owner is None or item.owner == owner) and (closed or item.state == "open")
    ]


def case(con: duckdb.DuckDBPyConnection, case_id: str) -> Case:
    """One case, open or closed.

    Raises: TieError if there is none of that id, with ids that are near.
    """
    import difflib

    every = {item.case_id: item for item in cases(con, closed=True)}
    if case_id not in every:
        near = difflib.get_close_matches(case_id, every, n=3)
        raise TieError(
            f"There is no case {case_id!r}. "
            + (f"Did you mean {', '.join(near)}?" if near else "`tieout cases --all` lists them.")
        )
    return every[case_id]


def history(con: duckdb.DuckDBPyConnection, case_id: str) -> list[tuple[str, datetime, Decimal, str, int]]:
    """Run, time, amount, unit and groups of a case in every run that found it, oldest first."""
    return con.execute(
        """select run_id, checked_at, amount, unit, groups from ops.tie_case_run
        where case_id = ? order by checked_at, run_id""",
        [case_id],
    ).fetchall()


def rows_of(con: duckdb.DuckDBPyConnection, case_id: str) -> list[Finding]:
    """What a case is made of now, the largest amounts first; nothing if it is closed."""
    return [
        Finding(*row[:6], strong=False, owner="", evidence=tuple(json.loads(row[6])))
        for row in con.execute(
            """select identity, group_key, document, suspect, amount, unit, evidence from ops.tie_case_finding
            where case_id = ? order by len(unit) = 3 desc, abs(amount) desc, identity, group_key, document""",
            [case_id],
        ).fetchall()
    ]


def _rank(suspect: str) -> int:
    return _TELLING.index(suspect) if suspect in _TELLING else len(_TELLING)


def _case_id(anchors: Iterable[str]) -> str:
    """The same for the same cause in any installation: of its first name, a document's before a row's."""
    first = min(anchors)
    return "C" + hashlib.sha256(first.encode()).hexdigest()[:8]
