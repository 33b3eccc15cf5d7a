"""How `tieout quarantine` prints rows, plans and what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

    from sources.contract import Source
    from tieout.ingest.quarantine import Filter, Outcome, Planned, Row


def listing(wanted: Filter, limit: int) -> None:
    from sources.contract import read_sources
    from tieout.cli.open import working_copy
    from tieout.cli.show import heading, table
    from tieout.ingest.quarantine import counts, disclosed, found
    from tieout.settings import settings

    with working_copy(settings()) as con:
        sources = read_sources(settings().sources)
        counted = counts(con, wanted)
        rows = found(con, wanted, limit or None)
        amounts = disclosed(con, sources, wanted)
        total = sum(item.waiting + item.released + item.dropped + item.superseded for item in counted)
        waiting = sum(item.waiting for item in counted)
        heading(f"Quarantine: {waiting:,} rows wait" if waiting != 1 else "Quarantine: 1 row waits")
        if not counted:
            return
        names = ["stream", "rule", "owner", "waiting", "since (UTC)"]
        cells = [[f"{c.source}.{c.stream}", c.rule, c.owner, c.waiting, c.since] for c in counted]
        if wanted.every:
            names += ["released", "dropped", "superseded"]
            cells = [
                [*cell, c.released, c.dropped, c.superseded] for cell, c in zip(cells, counted, strict=True)
            ]
        table(names, cells)
        heading("What totals are without" if not wanted.every else "What these rows amount to")
        for line in amounts:
            print(f"  {line}")
        heading(f"Rows: {len(rows):,} of {total:,}" if len(rows) < total else "Rows")
        print_rows(con, sources, rows, every=wanted.every)
    if len(rows) < total:
        print("  --limit 0 prints all.")
    print("\nNext: `tieout quarantine show ID` says what a row holds and what to do about it.")


def print_rows(
    con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], rows: Sequence[Row], *, every: bool = False
) -> None:
    """Rows as a list may show them: without what is above class L2."""
    from tieout.cli.show import table
    from tieout.engine import relations
    from tieout.pages.personal import WITHHELD, key_is_shown, personal, reason_shown

    tables = relations(con)
    texts = {text for row in rows for text in (row.origin, row.record_key or "", row.reason)}
    veil = personal(con, sources, tables, texts)
    names = ["id", "stream", "from", "key", "rule", "reason", "owner"] + (["state"] if every else [])
    cells = []
    for row in rows:
        key = (row.record_key or "") if key_is_shown(sources, row.source, row.stream) else WITHHELD
        reason = reason_shown(sources, row.source, row.stream, row.rule, row.reason)
        cell = [
            row.id,
            f"{row.source}.{row.stream}",
            veil.hide(row.place),
            veil.hide(key),
            row.rule,
            veil.hide(reason),
        ]
        cells.append([*cell, row.owner] + ([row.state] if every else []))
    table(names, cells)


def print_planned(planned: Sequence[Planned], sources: Mapping[str, Source]) -> None:
    """What would be loaded: one row in full, several as a table without what is above class L2."""
    from tieout.cli.show import table, text
    from tieout.pages.personal import SHOWN, WITHHELD

    if len(planned) == 1:
        (item,) = planned
        print(f"{item.row.id}  {item.row.source}.{item.row.stream}, {item.row.place}: {item.row.reason}")
        table(
            ["column", "sent", "will be loaded", "held now"],
            [
                (name, item.row.values.get(name), value, item.replaces.get(name) if item.replaces else None)
                for name, value in item.loads.items()
            ],
        )
    else:
        cells = []
        for item in planned:
            row, source = item.row, sources[item.row.source]
            loads = ", ".join(
                f"{name} = {text(value) if source.class_of(row.stream, name) in SHOWN else WITHHELD}"
                for name, value in item.loads.items()
            )
            cells.append(
                (row.id, f"{row.source}.{row.stream}", row.rule, loads, "yes" if item.replaces else "no")
            )
        table(["id", "stream", "rule", "will be loaded", "replaces"], cells)
    accepted = [reason for item in planned for reason in item.accepts]
    if len(planned) == 1:
        for reason in accepted:
            print(f"  you accept: {reason}")
    elif accepted:
        columns = sorted({reason.partition(" = ")[0] for reason in accepted})
        print(f"  you accept {len(accepted):,} broken promises about {', '.join(columns)}")


def only_shown(rows: Sequence[object], yes: bool) -> bool:
    """Whether this is as far as it goes: several rows are decided upon only if that was said."""
    if len(rows) == 1 or yes:
        return False
    print(f"\nNothing was decided. These are {len(rows):,} rows: repeat with --yes to decide on all of them.")
    return True


def print_outcome(outcomes: Sequence[Outcome], word: str, rows: int) -> None:
    for item in outcomes:
        print(
            f"{item.source}.{item.stream}: rebuilt from landing; {item.released:,} released, {item.dropped:,} dropped, "
            f"{item.waiting:,} still waiting"
        )
    print(
        f"{rows:,} row{'' if rows == 1 else 's'} {word}. Next: `tieout refresh` builds and publishes with it."
    )


def next_steps(row: Row) -> list[str]:
    """What a person can do about a row, the best first."""
    who = "--by NAME --reason TEXT"
    if row.state in {"released", "dropped"}:
        return [
            f"It was {row.state} by {row.decided_by}. To take that back: tieout quarantine undo {row.id} {who}"
        ]
    if row.state == "superseded":
        return ["Nothing: the source has sent this anew since, and that is what counts."]
    mend = f"Have it mended in {row.source} ({row.owner}); when it comes again in order it loads by itself."
    drop_it = f"Leave it out for good: tieout quarantine drop {row.id} {who}"
    if row.rule == "duplicate":
        return ["Nothing is missing: its copy is loaded.", drop_it]
    if row.rule in {"type", "precision", "required"}:
        column = row.reason.partition(" = ")[0]
        return [
            mend,
            f"Say what it should be: tieout quarantine release {row.id} --set {column}=VALUE {who}",
            drop_it,
        ]
    let_in = f"tieout quarantine release {row.id} {who}"
    if row.rule == "key":
        return [mend, f"If this is the right one of its key: {let_in}, and drop the others", drop_it]
    return [mend, f"If it is right as it is: {let_in}", drop_it]
