"""`tieout storage …`: what costs what, and what may go."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

app = typer.Typer(help="What costs what on disk, and what may go without losing a row.")

DAYS = re.compile(r"^(\d+)d$")


@app.callback(invoke_without_command=True)
def storage(context: typer.Context) -> None:
    """What costs what: the landing by stream, the warehouse by schema, and everything else of this installation.

    [bold]tieout storage compact[/bold] folds old batches; it deletes nothing a replay needs, and proves it first.
    """
    if context.invoked_subcommand is None:
        _show()


@app.command("compact")
def compact(
    older_than: Annotated[str, typer.Option(help="Batches read longer ago than this, such as 90d.")] = "90d",
    source: Annotated[
        list[str] | None, typer.Option(help="Only this `source` or `source.stream`; may be repeated.")
    ] = None,
    evidence_older_than: Annotated[
        str | None,
        typer.Option(
            help="Also delete pages and files as received (the rows read from them stay), such as 365d."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Fold the old batches of each stream into one that holds every version they led to.

    Before a batch is deleted, its stream is replayed with and without: history, ledger and quarantine must be the
    same. Kept as they came: the newest batch of a stream and of each file, batches with rows in quarantine or
    decided upon, and those after them; and all decisions. Safe to kill and to repeat.
    """
    from sources.contract import read_sources
    from tieout.cli.show import Lines
    from tieout.ingest.drift import effective_sources
    from tieout.ingest.landing import Landing
    from tieout.ingest.retention import Compacted, expirable, expire, foldable
    from tieout.ingest.retention import compact as run
    from tieout.refresh import crash_point, only_one, stoppable
    from tieout.settings import settings

    now = datetime.now(UTC)
    before = now - _days(older_than)
    old = now - _days(evidence_older_than) if evidence_older_than else None
    landing = Landing(settings().landing)
    sources = effective_sources(read_sources(settings().sources), landing)
    names = _known(source or [], {name: list(item.streams) for name, item in sources.items()})

    def wanted(name: str, stream: str) -> bool:
        return not names or name in names or f"{name}.{stream}" in names

    with only_one(settings()), stoppable():
        streams = [(s.name, name) for s in sources.values() for name in s.streams if wanted(s.name, name)]
        going = []
        if old:
            waiting = _waiting()
            going = [
                one
                for place in streams
                for one in expirable(landing, place[0], place[1], old, waiting.get(place, set()))
            ]
        if dry_run:
            found = [item for place in streams if (item := foldable(landing, *place, before))]
            for item in found:
                size = megabytes(item.bytes)
                print(f"{item.source}.{item.stream}: {len(item.batches)} batches, {size}, would become one")
            for one in going:
                print(
                    f"{one.source}.{one.stream}: {one.kind} of {one.batch_id}, {megabytes(one.bytes)}, would go"
                )
            print(
                f"{len(found)} streams to compact, {len(going)} batches with files to delete; nothing was done"
            )
            return
        progress = Lines()
        progress.start("compact", len(streams))
        freed = []

        def report(one: Compacted) -> None:
            freed.append(one.freed)
            progress.advance(
                f"{one.source}.{one.stream}: {one.batches} batches, {megabytes(one.freed)} freed"
            )
            print(
                f"{one.source}.{one.stream}: {one.batches} batches became one, "
                f"{megabytes(one.bytes_before)} became {megabytes(one.bytes_after)}"
            )

        run(sources, landing, before, now, report, wanted=wanted, crash=crash_point)
        # What was folded meanwhile has no files of its own any more.
        left = {(s, n, item.batch_id) for s, n in streams for item in landing.batches(s, n)}
        going = [one for one in going if (one.source, one.stream, one.batch_id) in left]
        expire(landing, going, now)
        size = sum(freed) + sum(one.bytes for one in going)
        progress.end(f"{len(freed)} streams compacted, files of {len(going)} batches deleted")
    print(f"{megabytes(size)} freed; `tieout replay --check` repeats the proof on everything")


def _show() -> None:
    from sources.contract import read_sources
    from tieout.cli.show import heading, table
    from tieout.ingest.storage import held, landed, places
    from tieout.settings import settings

    here = settings()
    streams = landed(here, read_sources(here.sources), datetime.now(UTC) - timedelta(days=90))
    heading("Landing by stream")
    columns = ["stream", "batches", "rows", "data", "evidence", "keys", "seen", "to fold", "frees up to"]
    table(
        columns,
        [
            (
                f"{item.source}.{item.stream}",
                item.batches,
                item.rows,
                megabytes(item.data),
                megabytes(item.evidence),
                megabytes(item.keys),
                megabytes(item.seen),
                item.foldable,
                megabytes(item.frees),
            )
            for item in sorted(streams, key=lambda item: -item.total)
        ],
        right=range(1, len(columns)),
    )
    schemas: dict[str, list[int]] = {}
    for item in held(here):
        cell = schemas.setdefault(item.schema, [0, 0, 0])
        cell[0], cell[1], cell[2] = cell[0] + 1, cell[1] + item.rows, cell[2] + item.bytes
    heading("Warehouse by schema")
    table(
        ["schema", "tables", "rows", "bytes"],
        [(name, tables, rows, megabytes(size)) for name, (tables, rows, size) in schemas.items()],
        right=(3,),
    )
    heading("Everything")
    table(
        ["what", "bytes", "what may be done"],
        [(what, megabytes(size), words) for what, size, words in places(here)],
        right=(1,),
    )
    print(
        f"{sum(item.foldable for item in streams)} batches older than 90 days can be folded: "
        f"`tieout storage compact --dry-run`"
    )


def megabytes(size: int) -> str:
    """Bytes as people read them."""
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.1f} kB"


def _days(text: str) -> timedelta:
    from tieout.cli.errors import CommandError

    match = DAYS.match(text)
    if not match:
        raise CommandError(f"{text!r} is no number of days; write 90d. Nothing was done.")
    return timedelta(days=int(match[1]))


def _known(names: list[str], streams: dict[str, list[str]]) -> set[str]:
    from tieout.cli.errors import CommandError

    there = {*streams, *(f"{source}.{name}" for source, found in streams.items() for name in found)}
    for name in names:
        if name not in there:
            raise CommandError(
                f"there is no source or stream {name}. Nothing was done. There are {sorted(streams)}."
            )
    return set(names)


def _waiting() -> dict[tuple[str, str], set[str]]:
    """Batches with rows that wait in quarantine, by stream."""
    from tieout.cli.open import working_copy
    from tieout.settings import settings

    found: dict[tuple[str, str], set[str]] = {}
    with working_copy(settings()) as con:
        for source, stream, batch in con.execute(
            "select distinct source, stream, batch_id from ops.quarantine where closed_by is null"
        ).fetchall():
            found.setdefault((source, stream), set()).add(batch)
    return found
