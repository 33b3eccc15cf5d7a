"""Totals of a whole system, such as its trial balance: asked of the system, computed from what we hold, compared.

What the system said is kept in the landing, `<source>/_controls/<instant>.json`, one file each time an answer is
another one; so a warehouse rebuilt from landing states the same. The comparison is made after loading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Source
from tieout.engine import constants, literal, quoted
from tieout.ingest.errors import IngestError
from tieout.ingest.landing import Landing
from tieout.strict import Strict
from tieout.whole import write_whole

if TYPE_CHECKING:
    import duckdb

    from tieout.ingest.intake.readers import Reader

FOLDER = "_controls"
NO_ANSWER = "no answer: "  # how a total begins that is no figure, in `source_says` and `loaded`
WHOLE_SOURCE = ""  # the stream of a total that speaks of no single one
# Its own SQL may give a figure a type that loses digits on the way here; text loses none.
_AS_TEXT = {"postgres": "text", "mysql": "char", "sqlite": "text"}


class ControlError(IngestError):
    """Answers that were landed cannot be read, or a control asks for something it may not."""


class Answers(Strict):
    """What a system said at one instant (ISO 8601, UTC): control → a figure, or `no answer: <why>`."""

    source: str
    at: str
    answers: dict[str, str]


@dataclass(frozen=True)
class Compared:
    """One total of a whole system. `difference` is ours less theirs, None if one of them is no figure."""

    source: str
    name: str
    at: str
    source_says: str
    we_hold: str
    difference: Decimal | None
    agrees: bool


# --- asking ---------------------------------------------------------------------------------------


def ask_controls(reader: Reader, source: Source) -> dict[str, str]:
    """What a database says about each of its source's controls, in the snapshot its streams are read in.

    To be called after the streams: a query that fails may end the snapshot. It stops nothing; its reason is kept
    in the place of the figure, and reported as a total that does not agree.
    """
    import duckdb

    answers: dict[str, str] = {}
    broken = "a query before it"
    for name, control in source.controls.items():
        try:
            answers[name] = figure(reader.ask(_as_text(control.ask, source.connector)))
        except (duckdb.Error, IngestError, OSError) as error:
            why = reader.without_secret(error)
            if "transaction is aborted" in why:  # nothing more is answered in this snapshot
                answers[name] = f"{NO_ANSWER}not asked, because {broken} failed"
                continue
            broken = name
            answers[name] = f"{NO_ANSWER}{why}"
    return answers


def figure(answer: object) -> str:
    """An answer as a decimal number in plain digits, or why it is none (without repeating it: it may be personal)."""
    if answer is None:
        return f"{NO_ANSWER}the query gave no value (say coalesce(…, 0) if nothing means zero)"
    try:
        number = Decimal(str(answer).strip())
    except InvalidOperation:
        return f"{NO_ANSWER}the query gave text that is no number"
    if not number.is_finite():
        return f"{NO_ANSWER}the query gave {number}"
    return f"{number:f}"


def keep_answers(landing: Landing, source: Source, answers: Mapping[str, str], now: datetime) -> Path | None:
    """Write answers into the landing, whole or not at all, unless they are those known already.

    Returns: the file, or None if nothing is new (or nothing was asked).
    """
    before = latest_answers(landing, source.name)
    if not answers or (before and before.answers == dict(answers)):
        return None
    moment = now.astimezone(UTC)
    if before:  # also if this machine's clock has gone back
        moment = max(moment, datetime.fromisoformat(before.at) + timedelta(microseconds=1))
    said = Answers(source=source.name, at=moment.isoformat(timespec="microseconds"), answers=dict(answers))
    path = landing.root / source.name / FOLDER / f"{moment:%Y%m%dT%H%M%S%f}Z.json"
    write_whole(path, json.dumps(said.model_dump(), ensure_ascii=False, indent=2))
    return path


def latest_answers(landing: Landing, source: str) -> Answers | None:
    """The newest answers of a source, if it ever gave any.

    Raises: ControlError if they cannot be read: older ones would be compared with newer rows.
    """
    folder = landing.root / source / FOLDER
    if not folder.is_dir():
        return None
    names = sorted(path.name for path in folder.iterdir() if re.match(r"\d.*\.json$", path.name))
    if not names:
        return None
    try:
        return Answers.model_validate_json((folder / names[-1]).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ControlError(
            f"{source}: the answers {FOLDER}/{names[-1]} cannot be read ({str(error).splitlines()[0]}). No total of "
            f"{source} was compared; its rows are loaded. Restore the file in the landing from a backup, or "
            f"remove it: the next refresh asks again."
        ) from None


def _as_text(sql: str, connector: str) -> str:
    sql = sql.strip().rstrip(";")
    kind = _AS_TEXT.get(connector)
    if kind is None:
        return sql
    return f"with said(value) as ({sql}) select cast(value as {kind}) as value from said"


# --- comparing ------------------------------------------------------------------------------------


def compare_controls(
    con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], landing: Landing
) -> list[Compared]:
    """Compare what the systems said last with what is held now, and write it to `ops.control_total`.

    A total of a whole system has no stream; its `batch_id` is the instant of the answer. One transaction.
    """
    compared = []
    for source in sources.values():
        said = latest_answers(landing, source.name) if source.controls else None
        if said is None:
            continue
        compared += [
            _compared(con, source, name, said.answers[name], said.at)
            for name in source.controls
            if name in said.answers
        ]
    con.execute("begin")
    try:
        con.execute(f"delete from ops.control_total where stream = {literal(WHOLE_SOURCE)}")
        for item in compared:
            line = constants(
                item.source,
                WHOLE_SOURCE,
                item.at,
                item.source,
                item.name,
                item.source_says,
                item.we_hold,
                item.agrees,
            )
            con.execute(
                "insert into ops.control_total (source, stream, batch_id, origin, measure, source_says, loaded, agrees)"
                f" values ({line})"
            )
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return compared


def _compared(con: duckdb.DuckDBPyConnection, source: Source, name: str, said: str, at: str) -> Compared:
    control = source.controls[name]
    held = _held(con, source, control.hold)
    difference = None
    if not said.startswith(NO_ANSWER) and not held.startswith(NO_ANSWER):
        difference = Decimal(held) - Decimal(said)
    limit = max(
        Decimal(str(control.tolerance)), Decimal("0.000001")
    )  # sums in floating point are off far below
    agrees = difference is not None and abs(difference) <= limit
    return Compared(source.name, name, at, said, held, difference, agrees)


def _held(con: duckdb.DuckDBPyConnection, source: Source, sql: str) -> str:
    """Our own figure, or why there is none: a query that is wrong stops nothing and proves nothing."""
    import duckdb

    if wrong := not_allowed(sql, source.raw_schema):
        return f"{NO_ANSWER}`hold` {wrong}"
    try:
        rows = con.execute(sql).fetchmany(2)
    except duckdb.Error as error:
        return f"{NO_ANSWER}`hold` cannot be computed: {str(error).splitlines()[0]}"
    if len(rows) != 1 or len(rows[0]) != 1:
        return f"{NO_ANSWER}`hold` should give one value"
    return figure(rows[0][0])


def not_allowed(sql: str, schema: str) -> str | None:
    """Why a query may not be run on the warehouse: it must be one SELECT over the raw tables of `schema`."""
    import sqlglot
    from sqlglot import exp

    try:
        statements = sqlglot.parse(sql, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        return f"cannot be read: {str(error).splitlines()[0]}"
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        return "must be one SELECT"
    query = statements[0]
    if query.find(exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Command, exp.Into):
        return "must only read"
    names = {item.alias_or_name.lower() for item in query.find_all(exp.CTE)}
    for table in query.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            return f"may not call {table.sql(dialect='duckdb')[:60]} as a table"
        if not table.db and not table.catalog and table.name.lower() in names:
            continue
        if table.catalog or table.db.lower() != schema:
            return f"may read only tables of {quoted(schema)}, not {table.sql(dialect='duckdb')[:60]}"
    return None


# --- showing --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Total:
    """One declared total as it stands: `quarantined` of it is set aside; `next` says what to do if it is off."""

    source: str
    stream: str
    origin: str
    measure: str
    source_says: str
    we_hold: str
    difference: Decimal | None
    quarantined: str | None
    agrees: bool
    at: datetime | None
    next: str


def totals(con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source]) -> list[Total]:
    """Every total that is compared now, those that do not agree first."""
    rows = con.execute(
        """
        select c.source, c.stream, c.origin, c.measure, c.source_says, coalesce(c.landed, c.loaded, 'nothing'),
            c.quarantined, c.agrees, coalesce(b.extracted_at, try_cast(c.batch_id as timestamptz)), b.complete
        from ops.control_now as c left join ops.batch as b using (source, stream, batch_id)
        order by c.agrees, c.source, c.stream, c.origin, c.measure
        """
    ).fetchall()
    return [
        Total(source, stream, origin, measure, said, held, _less(held, said), aside, agrees, at,
              "" if agrees else remedy(source, stream, measure, said, held))
        for source, stream, origin, measure, said, held, aside, agrees, at, _ in rows
    ]  # fmt: skip


def remedy(source: str, stream: str, measure: str, said: str = "", held: str = "") -> str:
    """What to do about a total that does not agree."""
    if stream == WHOLE_SOURCE:
        if NO_ANSWER in f"{said} {held}":
            return f"mend controls.{measure} in sources/{source}/source.yaml, then `tieout refresh`"
        return f"see the totals of its streams, then `tieout refresh --only {source} --full`"
    _, _, period = measure.removesuffix("]").partition("[")
    if period and period != "none":
        return f"read {period} again: `{backfill(f'{source}.{stream}', period)}`"
    return f"read it again: `tieout refresh --only {source}.{stream} --full`"


def backfill(stream: str, month: str) -> str:
    """The command that reads one month (`2025-11`) of a stream again."""
    year, number = int(month[:4]), int(month[5:])
    after = f"{year + number // 12}-{number % 12 + 1:02}-01"
    return f"tieout backfill {stream} --from {month}-01 --to {after}"


def unproved(con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source]) -> list[tuple[str, str, str]]:
    """(source, stream or control, why) of everything no total speaks for."""
    compared = set(
        con.execute(
            "select distinct source, case when stream = '' then measure else stream end from ops.control_now"
        ).fetchall()
    )
    found = []
    for source in sources.values():
        for name, stream in source.streams.items():
            if (source.name, name) not in compared:
                found.append(
                    (
                        source.name,
                        name,
                        "declares no control" if stream.control is None else "not compared yet",
                    )
                )
        for name in source.controls:
            if (source.name, name) not in compared:
                found.append((source.name, f"control {name}", "not asked yet"))
    return found


def _less(held: str, said: str) -> Decimal | None:
    try:
        return Decimal(held) - Decimal(said)
    except InvalidOperation:
        return None
