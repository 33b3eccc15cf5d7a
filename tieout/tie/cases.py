"""The life of a break: one case for one root cause, over all identities and groups in which it shows, from run to run.

Which findings have one cause is found in `tieout.tie.roots`. A case keeps its id as long as any of its documents or
rows comes back, so it ages, changes its amount, closes itself when no run finds it any more, and opens again as the same
case. All of that is read from the history (`ops.tie_case_run`, one row per run and case); nothing has to be closed by hand.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from tieout.tie.results import TieError
from tieout.tie.roots import CONTRADICTION, Finding, Root, chains, contradictions, findings, roots

if TYPE_CHECKING:
    import duckdb

NOTE = "note-case"  # kind of the decision that keeps a note

_ANCHORS = 200  # names kept of one case: enough to know it again


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

    @property
    def is_known(self) -> bool:
        """Whether a contradiction of documents names the cause; otherwise it is only known what it looks like."""
        return self.identity == CONTRADICTION

    @property
    def shows_in(self) -> tuple[str, ...]:
        """Identities in which it shows; none if only documents contradict each other."""
        return tuple(name for name in self.identities if name != CONTRADICTION)


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
    found = [*findings(con), *contradictions(con)]
    made = sorted(roots(found, chains(con)), key=lambda root: sorted(root.anchors))
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
            run_id, case_id, checked_at, main.suspect, main.identity, main.about, main.owner, whole.amount,
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


def contradicted(con: duckdb.DuckDBPyConnection, rows: Sequence[str]) -> list[tuple]:
    """What the documents of a case contradict: subject, detail, amount, currency, what is done until then, source row.

    Args:
        rows: Their source rows, as `system/stream/record`.
    """
    if not rows:
        return []
    return con.execute(
        """select subject, detail, amount_txn, currency_code, safe_default,
            concat_ws('/', source_system, source_stream, source_record) as place
        from marts.fct_data_case
        where cause_subject is not null and list_contains(from_json(?, '["VARCHAR"]'), place)
        order by amount_txn desc nulls last, subject""",
        [json.dumps(list(rows))],
    ).fetchall()


def _case_id(anchors: Iterable[str]) -> str:
    """The same for the same cause in any installation: of its first name, a document's before a row's."""
    first = min(anchors)
    return "C" + hashlib.sha256(first.encode()).hexdigest()[:8]
