"""`tieout quarantine …`"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from tieout.cli.aside import listing, next_steps, only_shown, print_outcome, print_planned, print_rows

if TYPE_CHECKING:
    import duckdb

    from sources.contract import Source
    from tieout.ingest.landing import Landing
    from tieout.ingest.quarantine import Filter, Row

app = typer.Typer(
    help="Rows that were set aside: list them, look at one, let it in, or leave it out for good."
)

SourceOption = Annotated[str | None, typer.Option("--source", help="Only rows of this system.")]
StreamOption = Annotated[
    str | None, typer.Option("--stream", help="Only rows of this stream, or SOURCE.STREAM.")
]
RuleOption = Annotated[
    str | None, typer.Option("--rule", help="Only rows that break this rule: type, min, key …")
]
OwnerOption = Annotated[str | None, typer.Option("--owner", help="Only rows this owner answers for.")]
EveryOption = Annotated[
    bool, typer.Option("--all", help="Also rows decided upon, and rows the source sent anew.")
]
LimitOption = Annotated[int, typer.Option("--limit", help="Rows to print; 0 prints all.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Ids of rows, as `tieout quarantine` prints them.")]
By = Annotated[str, typer.Option("--by", help="Who decides. Kept with the decision.")]
Reason = Annotated[str, typer.Option("--reason", help="Why. Kept with the decision.")]
Yes = Annotated[bool, typer.Option("--yes", help="Decide on more than one row at once.")]


@app.callback(invoke_without_command=True)
def quarantine(
    context: typer.Context,
    source: SourceOption = None,
    stream: StreamOption = None,
    rule: RuleOption = None,
    owner: OwnerOption = None,
    every: EveryOption = False,
    limit: LimitOption = 40,
) -> None:
    """Rows that break their contract are set aside, never guessed at and never lost: the totals are without them.

    \b
    tieout quarantine                                      what waits, by stream and rule, then row by row
    tieout quarantine show 3f2a                            one row: what it says, what is wrong, what to do
    tieout quarantine release 3f2a --set quantity=12 --by 张伟 --reason "phoned the warehouse"
    tieout quarantine drop --stream hx_sales.sale_line --rule duplicate --by 张伟 --reason "sent twice" --yes
    tieout quarantine undo 3f2a --by 张伟 --reason "wrong row"

    Best is always to have the row mended in its system: when it comes again in order it loads by itself.
    A decision is kept in the landing, and holds when the same row is sent again or all is rebuilt.
    """
    if context.invoked_subcommand is None:
        listing(_filter(source, stream, rule, owner, every), limit)


@app.command("list")
def list_rows(
    source: SourceOption = None,
    stream: StreamOption = None,
    rule: RuleOption = None,
    owner: OwnerOption = None,
    every: EveryOption = False,
    limit: LimitOption = 40,
) -> None:
    """What waits: counts by stream and rule with what they amount to, then the rows. Personal values are dotted."""
    listing(_filter(source, stream, rule, owner, every), limit)


@app.command("show")
def show(
    row_id: Annotated[str, typer.Argument(metavar="ID", help="The row's id, or how it begins.")],
) -> None:
    """One row, every field as the source sent it, the version held meanwhile, past decisions, and what to do next.

    Personal values are shown here: they are needed to mend the row.
    """
    from tieout.cli.open import working_copy
    from tieout.cli.show import heading, table, text
    from tieout.ingest.landing import Landing
    from tieout.ingest.quarantine import held_version, history
    from tieout.settings import settings

    landing = Landing(settings().landing)
    with working_copy(settings()) as con:
        row = _rows(con, [row_id])[0]
        source = _sources(landing).get(row.source)
        known = source is not None and row.stream in source.streams
        held = held_version(con, source, row) if source and known else None
        past = history(landing, row)
    heading(f"{row.id}  {row.source}.{row.stream}  {row.state}")
    facts = {
        "rule": row.rule,
        "reason": row.reason,
        "from": row.place,
        "key": row.record_key,
        "owner": row.owner,
        "batch": row.batch_id,
        "set aside": f"{text(row.quarantined_at)} UTC",
    }
    if row.closed_by:
        facts["superseded"] = f"the source has sent this anew in batch {row.closed_by}"
    for name, value in facts.items():
        print(f"  {name:<11} {text(value)}")
    heading("As the source sent it, and what is held meanwhile")
    fields = source.streams[row.stream].columns if source and known else row.values
    table(
        ["column", "sent", "held"],
        [(name, row.values.get(name), held.get(name) if held else None) for name in fields],
    )
    print(
        f"  held: version of batch {held['_batch_id']}"
        if held
        else "  held: no version of this key is loaded"
    )
    heading(f"Decisions: {len(past)}")
    for item in past:
        values = ", ".join(f"{k} = {text(v)}" for k, v in (item.about.get("set") or {}).items())
        print(
            f"  {item.at[:19]}  {_WORDS[item.kind]} by {item.by}: {item.reason}{f' ({values})' if values else ''}"
        )
    heading("Next")
    for line in next_steps(row):
        print(f"  {line}")


@app.command("release")
def release(
    ids: Ids = None,
    by: By = "",
    reason: Reason = "",
    values: Annotated[
        list[str] | None,
        typer.Option("--set", help="column=value in the place of what was sent; `column=` for no value."),
    ] = None,
    source: SourceOption = None,
    stream: StreamOption = None,
    rule: RuleOption = None,
    owner: OwnerOption = None,
    yes: Yes = False,
) -> None:
    """Let rows in, as they came or with values you give: they load as if they had come right.

    \b
    tieout quarantine release 3f2a --by 张伟 --reason "returns may be negative"
    tieout quarantine release 3f2a --set quantity=12 --by 张伟 --reason "phoned the warehouse"
    tieout quarantine release --stream hx_sales.sale_line --rule max --by 张伟 --reason "bulk order" --yes

    A value that is none (rules type, precision, required) needs --set; a duplicate cannot be let in, its copy is
    loaded already. More than one row is only shown, until you say --yes. Exit 0 done (or shown), 3 refused.
    """
    from datetime import UTC, datetime

    from tieout.ingest.quarantine import planned_release
    from tieout.ingest.quarantine import release as let_in

    given = _given(values or [])
    with _decision(ids, _filter(source, stream, rule, owner), by, reason) as desk:
        now = datetime.now(UTC)
        planned = planned_release(desk.con, desk.sources, desk.landing, desk.rows, given, now)
        print_planned(planned, desk.sources)
        if only_shown(planned, yes):
            return
        outcomes = let_in(desk.con, desk.sources, desk.landing, planned, given, by=by, reason=reason, now=now)
    print_outcome(outcomes, "released", len(planned))


@app.command("drop")
def drop(
    ids: Ids = None,
    by: By = "",
    reason: Reason = "",
    source: SourceOption = None,
    stream: StreamOption = None,
    rule: RuleOption = None,
    owner: OwnerOption = None,
    yes: Yes = False,
) -> None:
    """Leave rows out for good: they no longer wait, the decision is kept, the version held of their key stays.

    \b
    tieout quarantine drop 3f2a 91bc --by 张伟 --reason "test entries" --yes
    tieout quarantine drop --rule duplicate --by 张伟 --reason "exported twice" --yes
    """
    from datetime import UTC, datetime

    from tieout.ingest.quarantine import drop as leave_out

    with _decision(ids, _filter(source, stream, rule, owner), by, reason) as desk:
        print_rows(desk.con, desk.sources, desk.rows)
        if only_shown(desk.rows, yes):
            return
        outcomes = leave_out(
            desk.con, desk.sources, desk.landing, desk.rows, by=by, reason=reason, now=datetime.now(UTC)
        )
    print_outcome(outcomes, "dropped", len(desk.rows))


@app.command("undo")
def undo(
    ids: Annotated[
        list[str], typer.Argument(help="Ids of rows that were released or dropped (`--all` lists them).")
    ],
    by: By = "",
    reason: Reason = "",
) -> None:
    """Take the last decision on rows back: they wait again, as if nobody had decided. Both decisions stay on record."""
    from datetime import UTC, datetime

    from tieout.ingest.quarantine import undo as take_back

    with _decision(ids, _filter(None, None, None, None), by, reason, decided=True) as desk:
        outcomes = take_back(
            desk.con, desk.sources, desk.landing, desk.rows, by=by, reason=reason, now=datetime.now(UTC)
        )
    print_outcome(outcomes, "waiting again", len(desk.rows))


_WORDS = {"release-row": "released", "drop-row": "dropped", "undecide-row": "undone"}


@dataclass(frozen=True)
class _Desk:
    """What a decision needs: the warehouse open for writing, the contracts, and the rows it is about."""

    con: duckdb.DuckDBPyConnection
    sources: Mapping[str, Source]
    landing: Landing
    rows: list[Row]


@contextmanager
def _decision(
    ids: Sequence[str] | None, wanted: Filter, by: str, reason: str, *, decided: bool = False
) -> Generator[_Desk]:
    """Everything for a decision, under the refresh lock.

    Raises: CommandError if who or why is not said, or no row is meant.
    """
    from tieout.cli.errors import CommandError
    from tieout.cli.open import working_copy
    from tieout.engine import connect
    from tieout.ingest.landing import Landing
    from tieout.ingest.quarantine import found
    from tieout.refresh import only_one
    from tieout.settings import settings

    if not by.strip() or not reason.strip():
        raise CommandError("say who decides (--by NAME) and why (--reason TEXT). Nothing was decided.")
    if not ids and not wanted.names_some:
        raise CommandError(
            "name rows by their ids, or by --source, --stream, --rule or --owner. Nothing was decided."
        )
    landing = Landing(settings().landing)
    with only_one(settings()):
        working_copy(settings()).close()  # says what to do if nothing was ever loaded
        with connect(settings().warehouse) as con:
            rows = _rows(con, ids) if ids else found(con, wanted)
            sources = _sources(landing)
            if not rows:
                raise CommandError(
                    "no row that waits fits. Nothing was decided. `tieout quarantine` lists what waits."
                )
            for row in rows:
                _check_decidable(row, sources, decided=decided)
            yield _Desk(con, sources, landing, rows)


def _check_decidable(row: Row, sources: Mapping[str, Source], *, decided: bool) -> None:
    """Raises: CommandError if nothing can be decided on the row now."""
    from tieout.cli.errors import CommandError

    named = f"{row.id} ({row.source}.{row.stream}, {row.place})"
    source = sources.get(row.source)
    if source is None or row.stream not in source.streams:
        raise CommandError(f"{named}: no contract names this stream any more. Nothing was decided.")
    if decided:
        return
    if row.state in {"released", "dropped"}:
        raise CommandError(
            f"{named} was {row.state} by {row.decided_by} already. Nothing was decided. "
            f"To decide anew: `tieout quarantine undo {row.id} --by NAME --reason TEXT`."
        )
    if row.state == "superseded":
        raise CommandError(
            f"{named}: the source has sent this anew in batch {row.closed_by}, so there is nothing left to decide. "
            f"Nothing was decided."
        )


def _rows(con: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> list[Row]:
    """The rows some ids name, each once.

    Raises: CommandError if one names no row, or several.
    """
    from tieout.cli.errors import CommandError
    from tieout.ingest.quarantine import by_id

    rows: dict[str, Row] = {}
    for start in ids:
        fitting = by_id(con, start)
        if not fitting:
            raise CommandError(
                f"no row in quarantine has an id like {start!r}. `tieout quarantine --all` lists them."
            )
        if len({row.id for row in fitting}) > 1:
            several = ", ".join(row.id for row in fitting[:5])
            raise CommandError(f"{start!r} could be {several}: say more of the id.")
        rows[fitting[0].id] = fitting[0]
    return list(rows.values())


def _sources(landing: Landing) -> dict[str, Source]:
    """The contracts as the loader reads them, with the columns that have grown since."""
    from sources.contract import read_sources
    from tieout.ingest.drift import effective_sources
    from tieout.settings import settings

    return effective_sources(read_sources(settings().sources), landing)


def _filter(
    source: str | None, stream: str | None, rule: str | None, owner: str | None, every: bool = False
) -> Filter:
    from tieout.ingest.quarantine import Filter

    if stream and "." in stream:
        source, _, stream = stream.partition(".")
    return Filter(source, stream, rule, owner, every)


def _given(values: Sequence[str]) -> dict[str, str | None]:
    """`column=value` as typed, taken apart; nothing after the sign stands for no value.

    Raises: CommandError if there is no sign.
    """
    from tieout.cli.errors import CommandError

    given: dict[str, str | None] = {}
    for item in values:
        column, sign, value = item.partition("=")
        if not sign:
            raise CommandError(f"--set {item}: say column=value. Nothing was decided.")
        given[column.strip()] = value or None
    return given
