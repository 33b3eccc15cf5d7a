"""`tieout cases`"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import duckdb

    from tieout.settings import Settings
    from tieout.tie.cases import Case


def cases(
    case_id: Annotated[
        str | None, typer.Argument(metavar="CASE", help="One case: its rows, its history, its notes.")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Only cases of one department.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also cases that are closed: no run finds them any more.")
    ] = False,
    note: Annotated[str, typer.Option(help="Write a note on the case; it is kept with the batches.")] = "",
    by: Annotated[str, typer.Option(help="Who writes the note.")] = "",
) -> None:
    """What keeps the departments apart, one case for one cause: how long, how much, whose, and why so.

    \b
    tieout cases                       every open case, the largest first
    tieout cases --owner finance       those of one department; --all adds what was closed
    tieout cases C1a2b3c4d             one case: documents, source rows, history, notes
    tieout cases C1a2b3c4d --note "asked the bank" --by 陈静

    A case opens when a run finds something unexplained or a document that contradicts others, follows it along the chain of
    documents over all identities in which it shows, and closes itself when no run finds it any more. Comes the same back, the
    same case opens again.
    Exit code: 0 no case is open, or the case asked for is closed · 1 open · 3 the question cannot be answered.
    """
    from tieout.cli.errors import CommandError
    from tieout.cli.open import working_copy
    from tieout.settings import settings
    from tieout.tie.cases import case as one_case
    from tieout.tie.cases import cases as all_cases

    here = settings()
    if (note or by) and not (case_id and note and by):
        raise CommandError(
            "name the case, the note (--note TEXT) and who writes it (--by NAME). Nothing was written."
        )
    with working_copy(here) as con:
        if case_id is None:
            listed = all_cases(con, owner=owner, closed=everything)
            _list(listed, owner)
            open_ones = [item for item in listed if item.state == "open"]
        else:
            found = one_case(con, case_id)
            if note:
                _write(here, found.case_id, note, by)
                print(f"noted on {found.case_id}")
                return
            _show(con, here, case_id)
            open_ones = [found] if found.state == "open" else []
    sys.exit(1 if open_ones else 0)


def _list(listed: list[Case], owner: str | None) -> None:
    from tieout.cli.show import table

    if not listed:
        print(f"no case{f' of {owner}' if owner else ''} is open")
        return
    table(
        [
            "case",
            "state",
            "since",
            "runs",
            "owner",
            "cause",
            "document",
            "amount",
            "unit",
            "shows in",
        ],
        [
            (
                item.case_id,
                item.state,
                f"{item.opened_at:%Y-%m-%d %H:%M}",
                item.runs,
                item.owner,
                cause(item),
                item.document or "",
                item.amount,
                item.unit,
                _shows_in(item),
            )
            for item in listed
        ],
    )
    open_ones = sum(item.state == "open" for item in listed)
    print(
        f"\n{open_ones} open, {len(listed) - open_ones} closed. `tieout cases CASE` shows rows and history."
    )


def _shows_in(item: Case) -> str:
    return ", ".join(item.shows_in) or "the documents alone"


def cause(item: Case) -> str:
    """What a case is about, in both languages; what only looks so says so."""
    from tieout.pages.words import of_case

    said = of_case(item.suspect, known=item.is_known)
    words = f"{said.zh} / {said.en}" if said.en else said.zh
    return words if item.is_known else f"? {words}"


def _show(con: duckdb.DuckDBPyConnection, here: Settings, case_id: str) -> None:
    from tieout.cli.show import heading, table, text
    from tieout.ingest.decisions import decisions
    from tieout.tie.cases import NOTE, case, contradicted, history, rows_of

    item = case(con, case_id)
    heading(f"{item.case_id} · {item.state} · {cause(item)} · {item.document or item.identity}")
    facts = {
        "amount": f"{text(item.amount)} {item.unit}",
        "owner": item.owner,
        "opened": f"{text(item.opened_at)} UTC, run {item.opened_run}",
        "last seen": f"{text(item.seen_at)} UTC, run {item.seen_run}, {item.runs} runs in all",
        "closed": f"{text(item.closed_at)} UTC, run {item.closed_run}" if item.closed_at else "",
        "reopened": f"{item.reopened} times" if item.reopened else "",
        "shows in": _shows_in(item),
    }
    for name, value in facts.items():
        if value:
            print(f"  {name:<10} {value}")
    rows = rows_of(con, case_id)
    said = contradicted(con, [row.evidence[0] for row in rows if row.is_contradiction])
    if said:
        heading(f"What the documents say: {len(said)}")
        table(["document", "what contradicts", "at stake", "", "until then", "source row"], said[:40])
    rows = [row for row in rows if not row.is_contradiction]
    if rows:
        heading(f"Where it shows: {len(rows)}")
        table(
            ["identity", "group", "document", "looks like", "amount", "unit", "source rows (system/table/record)"],
            [
                (row.identity, row.group_key, row.document or "", row.suspect, row.amount, row.unit,
                 ", ".join(row.evidence[:3]))
                for row in rows[:40]
            ],
        )  # fmt: skip
    heading("History")
    table(["run", "at (UTC)", "amount", "unit", "groups"], history(con, case_id)[-20:])
    notes = [it for it in decisions(here.landing, kinds={NOTE}) if it.about.get("case") == case_id]
    if notes:
        heading("Notes")
        for it in notes:
            print(f"  {it.at[:19]}  {it.by}: {it.reason}")


def _write(here: Settings, case_id: str, note: str, by: str) -> None:
    from datetime import UTC, datetime

    from tieout.ingest.decisions import decide
    from tieout.tie.cases import NOTE

    decide(
        here.landing, NOTE, "tieout", "tie_case", {"case": case_id}, by=by, reason=note, now=datetime.now(UTC)
    )
