"""`tieout erase`"""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tieout.privacy.batches import Cleaned
    from tieout.privacy.erase import Proof
    from tieout.privacy.person import Person

# Folders of home that are the sample systems themselves.
_SYSTEMS = ("company", "huachen")
_SHOWN = 12  # places or differences that are listed


def erase(
    person: Annotated[
        str,
        typer.Argument(help="A master key, a personnel number, or SYSTEM:KEY as that system writes it."),
    ],
    by: Annotated[str, typer.Option("--by", help="Who decides. Kept with the decision.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why. Kept with the decision.")] = "",
    prove: Annotated[
        bool,
        typer.Option(
            "--prove", help="Then look through every file for what was erased, and compare every figure."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Erase one person: names, numbers and addresses give way to pseudonyms in everything held, totals stay.

    \b
    tieout erase HC0027 --dry-run                           which systems, streams, rows and columns
    tieout erase HC0027 --by 王敏 --reason "asked on 22 November" --prove
    tieout erase 'hc_shop:买家043429***' --by 王敏 --reason "order of the court" --prove

    Batches in the landing are written again (columns of class L3 and L4), pages and files as received that hold the
    same are deleted, the warehouse is built anew from landing, the SQL door and the snapshot are made anew. The master
    key stays, facts still point to it. A later pull meets the same rows and lands pseudonyms: nobody comes back.
    Cannot be undone. Safe to kill: the same command again goes on where it was.

    Exit codes: 0 done (and proved) · 1 something is left, or a figure changed (they are listed) · 3 nothing was erased.
    """
    from tieout.cli.errors import CommandError
    from tieout.cli.show import Lines
    from tieout.privacy import erase as steps
    from tieout.refresh import crash_point, only_one, stoppable
    from tieout.settings import settings

    if not settings().warehouse.is_file():
        raise CommandError("nothing was loaded yet, so nobody is known. Nothing was erased.")
    if dry_run:
        with only_one(settings()):
            who, batches = steps.plan(settings(), person)
        say_person(who)
        say_batches(batches, "would be written again")
        print("\nNothing was changed. Next: the same with --by NAME --reason TEXT --prove")
        return
    if not by.strip() or not reason.strip():
        raise CommandError("say who decides (--by NAME) and why (--reason TEXT). Nothing was erased.")
    with only_one(settings()), stoppable():
        done = steps.erase_person(settings(), Lines(), person, by=by, reason=reason, crash=crash_point)
        say_person(done.person)
        say_batches(done.batches, "written again")
        print(f"\nPublished {done.published} without the person; every earlier snapshot is deleted.")
        say_who_still_holds(done.person)
        if not prove:
            steps.forget(settings())
            print(
                "Not proved: --prove would have looked through every file; from now on nobody knows for what."
            )
            return
        said = steps.prove(settings(), leave_out=_SYSTEMS)
        if said.holds:
            steps.forget(settings())
    say_proof(said, done.person)
    sys.exit(0 if said.holds else 1)


def say_person(person: Person) -> None:
    """Who, masked: the keys that stay, the records, and the values by system."""
    from tieout.cli.show import heading, table
    from tieout.privacy.erased import EVERYWHERE

    heading(f"{person.entity or 'a person in documents'} {person.master_key or ''}".strip())
    table(
        ["system", "records", "values that go"],
        [
            (
                system,
                sum(record.startswith(f"{system}:") for record in person.records),
                ", ".join(map(masked, person.values.get(system, []))) or "none",
            )
            for system in person.systems
        ],
    )
    if strong := person.values.get(EVERYWHERE):
        print(f"  in whatever system: {', '.join(map(masked, strong))}")
    for words, held in (("stays", person.kept), ("borne by others", person.shared), ("LEFT", person.left)):
        for value, why in held.items():
            print(f"  {words}: {masked(value)}: {why}")


def say_batches(batches: Sequence[Cleaned], words: str) -> None:
    """Rows and columns by stream."""
    from tieout.cli.show import heading, table

    streams: dict[str, list[Cleaned]] = {}
    for item in batches:
        streams.setdefault(f"{item.source}.{item.stream}", []).append(item)
    heading(f"Batches {words}: {len(batches)}")
    if not streams:
        return
    lines = []
    for name, held in streams.items():
        cells: Counter[str] = Counter()
        for item in held:
            cells.update(dict(item.rows.cells))
        columns = ", ".join(f"{column} {count}" for column, count in cells.items())
        own, others = (sum(getattr(item.rows, kind) for item in held) for kind in ("own", "others"))
        lines.append((name, len(held), own, others, sum(item.evidence for item in held), columns))
    table(
        [
            "stream",
            "batches",
            "own rows",
            "rows that name them",
            "files as received deleted",
            "columns (cells)",
        ],
        lines,
    )


def say_who_still_holds(person: Person) -> None:
    from sources.contract import read_sources
    from tieout.settings import settings

    sources = read_sources(settings().sources)
    owners = ", ".join(f"{name} ({sources[name].owner})" for name in person.systems if name in sources)
    print(
        f"The systems themselves may still hold the person: {owners}. Ask their owners; until then each pull meets the rows "
        f"again and lands them as pseudonyms."
    )


def say_proof(said: Proof, person: Person) -> None:
    """What is left and what changed, and the figure last."""
    from tieout.cli.show import heading

    places: Counter[str] = Counter()
    for (_, place), count in said.hits.items():
        places[place] += count
    for words, lines in (
        ("Left", [f"{place}: {count}" for place, count in places.most_common()]),
        (
            "Stood in columns of a lower class when it began: say `class: L3` there",
            [f"{masked(value)}: {why}" for value, why in person.left.items() if not said.holds],
        ),
        ("Changed", [line for item in said.compared for line in item.differ]),
    ):
        if lines:
            heading(f"{words}: {len(lines)}")
            for line in lines[:_SHOWN]:
                print(f"  {line}")
            if len(lines) > _SHOWN:
                print(f"  … and {len(lines) - _SHOWN} more")
    if not said.holds:
        print("\nNot proved. Mend what is named above, then repeat the same command.", file=sys.stderr)
    kinds = {"total": "totals", "identity": "identities", "key": "counts of keys", "record": "master key"}
    same = ", ".join(
        f"{item.same} of {item.figures} {kinds.get(item.kind, item.kind)}"
        for item in said.compared
        if item.figures
    )
    print(
        f"\n{said.values} values looked for in {said.files:,} files and {said.tables:,} tables: "
        f"{sum(said.hits.values()):,} found; as they were: {same}"
    )


def masked(value: str) -> str:
    """Enough of a value to recognise it, not enough to learn it."""
    return f"{value[:1]}•••{value[-2:] if len(value) > 6 else ''}"
