"""`tieout drift`"""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from sources.contract import Source
    from tieout.ingest.drift.mend import Mended
    from tieout.ingest.drift.opened import Drift
    from tieout.ingest.landing import Manifest
    from tieout.settings import Settings

app = typer.Typer(invoke_without_command=True, rich_markup_mode="rich", no_args_is_help=False)

By = Annotated[str, typer.Option(help="Who decides.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the decision.", show_default=False)]
Name = Annotated[str, typer.Argument(metavar="SOURCE.STREAM", help="For example hx_stock.stock_move.")]


@app.callback()
def drift(context: typer.Context) -> None:
    """Which sources changed their shape, what that touches, and how to go on.

    \b
    tieout drift                  what changed, what it touches, how to go on
    tieout drift accept --help    renamed, retyped, added, gone; load a held batch
    tieout drift decline --help   never load a held batch

    A stream that lost a column or changed its type is never loaded half: by its `drift:` in the contract it is
    refused (note, evolve, freeze) or its batch is held (quarantine). Everything else goes on.
    Exit code: 0 nothing waits for you · 1 a stream is refused or held · 3 the question cannot be answered.
    """
    if context.invoked_subcommand is None:
        sys.exit(_list())


@app.command("accept")
def accept(
    stream: Name,
    by: By,
    reason: Reason,
    rename: Annotated[
        str | None, typer.Option(metavar="COLUMN=NEW", help="The source calls a promised column NEW now.")
    ] = None,
    retype: Annotated[
        str | None, typer.Option(metavar="COLUMN=TYPE", help="Promise another type from now on.")
    ] = None,
    add: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Promise a column the source has; nullable.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--type", help="With --add: its type; as the source declares it, if left out."),
    ] = None,
    called: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="With --add: its ASCII name here.")
    ] = None,
    drop: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column is gone for good: promise it no longer.")
    ] = None,
    hold: Annotated[str | None, typer.Option(metavar="BATCH", help="Load a held batch as it is.")] = None,
    shape: Annotated[
        bool, typer.Option("--shape", help="The shape is right as it is; the contract stays as it is.")
    ] = False,
) -> None:
    """Mend a changed shape, one decision at a time. Rename, retype, add and drop edit one line of the contract.

    \b
    tieout drift accept hx_stock.stock_move --rename quantity=qty \\
        --by "Li Na" --reason "upgrade to 7.4"
    tieout drift accept hx_stock.stock_move --add 批号 --type text --by … --reason …
    tieout drift accept hx_stock.stock_move --hold BATCH --by … --reason …

    The edit keeps comments and layout, and is refused if the contract, read again, is not exactly what was meant.
    Batches that landed under an older name still load. The decision is kept beside the batches.
    Then: [bold]tieout refresh[/bold].
    Exit code: 0 done · 2 the options do not fit together · 3 refused; nothing was changed.
    """
    from tieout.cli.errors import CommandError

    asked = [item for item in (rename, retype, add, drop, hold) if item is not None] + (
        [True] if shape else []
    )
    if len(asked) != 1:
        raise typer.BadParameter("say exactly one of --rename, --retype, --add, --drop, --hold, --shape")
    if (kind or called) and not add:
        raise typer.BadParameter("--type and --as belong to --add")
    if not by.strip() or not reason.strip():
        raise CommandError("say who decides (--by NAME) and why (--reason TEXT). Nothing was changed.")
    work = _Work(stream, by, reason)
    if rename is not None:
        work.rename(*_pair(rename, "--rename"))
    elif retype is not None:
        work.retype(*_pair(retype, "--retype"))
    elif add is not None:
        work.add(add, kind, called)
    elif drop is not None:
        work.drop(drop)
    elif hold is not None:
        work.load(hold)
    else:
        work.shape()


@app.command("decline")
def decline(
    stream: Name,
    by: By,
    reason: Reason,
    hold: Annotated[str, typer.Option(metavar="BATCH", help="The held batch.", show_default=False)],
) -> None:
    """Never load a held batch. It stays in landing as evidence; the next pull is judged anew.

    \b
    tieout drift decline hx_stock.stock_move --hold BATCH --by … --reason …
    """
    _Work(stream, by, reason).decline(hold)


class _Work:
    """One decision on one stream."""

    def __init__(self, name: str, by: str, reason: str) -> None:
        from sources.contract import read_source
        from tieout.cli.errors import CommandError
        from tieout.ingest.landing import Landing
        from tieout.settings import settings

        self.settings = settings()
        source, _, stream = name.partition(".")
        self.path = self.settings.sources / source / "source.yaml"
        if not stream or not self.path.is_file():
            known = sorted(path.parent.name for path in self.settings.sources.glob("*/source.yaml"))
            raise CommandError(f"{name}: say SOURCE.STREAM; the sources are {', '.join(known)}.")
        self.source = read_source(self.path)
        if stream not in self.source.streams:
            raise CommandError(f"{source} has no stream {stream!r}; it has {', '.join(self.source.streams)}.")
        self.stream, self.by, self.reason = stream, by, reason
        self.landing = Landing(self.settings.landing)

    def rename(self, column: str, new: str) -> None:
        from tieout.ingest.drift.mend import rename

        done = rename(self.path, self.stream, column, new)
        self._decided("rename-accept", column=done.column, new=new)
        self._said(done)

    def retype(self, column: str, kind: str) -> None:
        from tieout.ingest.drift.mend import retype

        done = retype(self.path, self.stream, column, kind)
        self._decided("retype-accept", column=done.column, type=kind)
        self._said(done, generated=True)

    def add(self, name: str, kind: str | None, called: str | None) -> None:
        from tieout.cli.errors import CommandError
        from tieout.ingest.drift.evolved import effective
        from tieout.ingest.drift.kinds import contract_type
        from tieout.ingest.drift.mend import add

        declared = self._declared()
        if kind is None:
            if name not in declared:
                raise CommandError(
                    f"{self.source.name}.{self.stream}: the last pull saw no column {name!r}; say its type (--type)."
                )
            kind = contract_type(declared[name])
        taken = effective(self.source, self.landing).streams[self.stream]
        known = next((item for item in taken.columns if name in taken.source_names(item)), None)
        if known in self.source.streams[self.stream].columns:
            known = None
        done = add(self.path, self.stream, name, kind, column=called or known)
        self._decided("add-accept", column=done.column, name=name, type=kind)
        self._said(done, generated=True)

    def drop(self, column: str) -> None:
        from tieout.ingest.drift.evolved import effective
        from tieout.ingest.drift.held import DROPPED
        from tieout.ingest.drift.mend import drop

        taken = effective(self.source, self.landing).streams[self.stream].columns
        if column in taken and column not in self.source.streams[self.stream].columns:
            self._decided(DROPPED, column=column)
            print(f"{self.source.name}.{self.stream}.{column} is no longer taken in. Next: tieout refresh")
            return
        done = drop(self.path, self.stream, column)
        self._decided("drop-accept", column=done.column)
        self._said(done, generated=True)
        print("Models that name the column no longer build: see what `tieout drift` lists.")

    def load(self, batch_id: str) -> None:
        from tieout.cli.errors import CommandError
        from tieout.ingest.drift.evolved import effective
        from tieout.ingest.drift.held import accept_batch

        batch = self._held(batch_id)
        stream = effective(self.source, self.landing).streams[self.stream]
        missing = [item for item in stream.columns if stream.column_in(item, batch.columns) is None]
        if missing:
            raise CommandError(
                f"{self.source.name}.{self.stream}: batch {batch_id} has no column for {', '.join(missing)}; loading it "
                f"would empty what is held. Nothing was decided. Say where the values are now first: "
                f"tieout drift accept {self.source.name}.{self.stream} --rename {missing[0]}=NEW (or --drop {missing[0]})."
            )
        accept_batch(self.landing, batch, by=self.by, reason=self.reason, now=_now())
        print(f"batch {batch_id} ({batch.rows:,} rows) will be loaded. Next: tieout refresh")

    def decline(self, batch_id: str) -> None:
        from tieout.ingest.drift.held import decline_batch

        decline_batch(self.landing, self._held(batch_id), by=self.by, reason=self.reason, now=_now())
        print(f"batch {batch_id} will never be loaded; it stays in landing. The next pull is judged anew.")

    def shape(self) -> None:
        from tieout.cli.errors import CommandError
        from tieout.ingest.drift.held import SHAPE
        from tieout.ingest.drift.refusals import refusal_of

        declared = self._declared()
        stream = self.source.streams[self.stream]
        if missing := [item for item in stream.columns if stream.column_in(item, declared) is None]:
            raise CommandError(
                f"{self.source.name}.{self.stream}: the promised column {', '.join(missing)} is not in that shape; "
                f"use --rename or --drop. Nothing was decided."
            )
        refused = refusal_of(self.landing.root, self.source.name, self.stream)
        emptied = [item.now for item in refused.changes if item.what == "emptied"] if refused else []
        self._decided(SHAPE, declared=declared, emptied=emptied)
        print(f"the shape of {self.source.name}.{self.stream} is accepted as it is. Next: tieout refresh")

    def _held(self, batch_id: str) -> Manifest:
        from tieout.cli.errors import CommandError
        from tieout.ingest.drift.held import Holds

        holds = Holds(self.landing)
        batches = [item for item in self.landing.batches(self.source.name, self.stream) if item.held]
        for batch in batches:
            if batch.batch_id == batch_id:
                return batch
        waiting = [item.batch_id for item in batches if holds.state(item) == "held"]
        raise CommandError(
            f"{self.source.name}.{self.stream}: no held batch {batch_id!r}. Held: {', '.join(waiting) or 'none'}."
        )

    def _declared(self) -> dict[str, str]:
        """The shape the source had at the last pull, refused, held or loaded."""
        from tieout.ingest.drift.refusals import refusal_of

        refused = refusal_of(self.landing.root, self.source.name, self.stream)
        last = self.landing.latest(self.source.name, self.stream)
        if refused and (last is None or refused.at >= last.extracted_at):
            return refused.declared
        return (last.declared or last.columns) if last else {}

    def _decided(self, kind: str, **about: object) -> None:
        from tieout.ingest.decisions import decide
        from tieout.ingest.drift.refusals import forget

        decide(
            self.landing.root,
            kind,
            self.source.name,
            self.stream,
            dict(about),
            by=self.by,
            reason=self.reason,
            now=_now(),
        )
        forget(self.landing.root, self.source.name, self.stream)

    def _said(self, done: Mended, *, generated: bool = False) -> None:
        print(f"sources/{self.source.name}/source.yaml, {self.stream}:")
        for mark, text in (("-", done.before), ("+", done.after)):
            for line in text.splitlines():
                print(f"  {mark} {line.strip()}")
        print(f"Next: {'make sync, then ' if generated else ''}tieout refresh")


def _pair(text: str, option: str) -> tuple[str, str]:
    column, sign, new = text.partition("=")
    if not sign or not column.strip() or not new.strip():
        raise typer.BadParameter(f"{option} wants COLUMN=… , not {text!r}")
    return column.strip(), new.strip()


def _now() -> datetime:
    from datetime import UTC, datetime

    return datetime.now(UTC)


# --- the list -------------------------------------------------------------------------------------


def _list() -> int:
    from sources.contract import read_sources
    from tieout.cli.show import heading
    from tieout.ingest.drift.opened import open_drifts
    from tieout.ingest.landing import Landing
    from tieout.settings import settings

    here = settings()
    sources = read_sources(here.sources)
    found = open_drifts(sources, Landing(here.landing))
    if not found:
        print("no stream has changed its shape")
        return 0
    for item in found:
        heading(f"{item.source}.{item.stream}  {item.state}  {item.at[:19].replace('T', ' ')}")
        print(f"  {item.message}")
        _touches(here, item)
        _remedies(sources[item.source], item)
    waiting = sum(item.waits for item in found)
    print(f"\n{waiting} wait for a decision, {len(found) - waiting} are for your information")
    return 1 if waiting else 0


def _touches(here: Settings, item: Drift) -> None:
    from tieout.transform.affected import affected
    from tieout.transform.dbt import target

    if not item.columns:
        return
    reached = affected(
        target(here) / "manifest.json", item.source, item.stream, item.columns, expectations=here.expectations
    )
    for kind, words in (
        ("metric", "metrics"),
        ("report", "reports"),
        ("identity", "identities"),
        ("suite", "suites"),
        ("model", "models"),
    ):
        names = [entry.name for entry in reached.of(kind)]
        if names:
            more = f" … and {len(names) - 12} more" if len(names) > 12 else ""
            print(f"  {words:<10} {len(names):>3}  {', '.join(names[:12])}{more}")
    if reached.owners:
        print(f"  owners          {', '.join(reached.owners)}")
    elif not reached.notes:
        print("  touches nothing that is built")
    for note in reached.notes:
        print(f"  {note}")


def _remedies(source: Source, item: Drift) -> None:
    from tieout.ingest.drift.judge import remedy

    if item.state == "held":
        where = f"{item.source}.{item.stream}"
        stream = source.streams[item.stream]
        for line in dict.fromkeys(remedy(where, item.source, stream, change) for change in item.changes):
            print(f"  {line}")
        print(
            f"  To load the batch: tieout drift accept {where} --hold {item.batch} --by NAME --reason TEXT; "
            f"never to load it: tieout drift decline {where} --hold {item.batch} --by NAME --reason TEXT"
        )
    elif item.name is not None:
        name = shlex.quote(item.name)
        print(
            f"  To promise it: tieout drift accept {item.source}.{item.stream} --add {name} --by NAME --reason TEXT"
        )
