"""Everything the board says, read from the warehouse into plain values; how it looks is decided elsewhere.

A part that was not built yet is empty, never an error: the page then says what to run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from sources.connectors import connector_for
from sources.contract import Source
from tieout.engine import quoted
from tieout.engine import relations as every_relation
from tieout.ingest.status import Quarantined, open_quarantine
from tieout.metrics.answer import answer
from tieout.metrics.errors import MetricError
from tieout.pages.personal import WITHHELD, Personal, key_is_shown, personal, reason_shown
from tieout.pages.words import CONNECTOR, Both, of_case, said
from tieout.tie.cases import cases
from tieout.tie.results import (
    Break,
    BridgeStep,
    IdentityResult,
    TieError,
    breaks,
    bridge,
    identity_results,
    open_breaks,
)
from tieout.tie.verdict import Rule, last_verified_run, verdict

if TYPE_CHECKING:
    import duckdb

# Groups listed under one identity; `tieout tie <identity>` lists all.
BREAKS_SHOWN = 40
CAUSES_SHOWN = 20
QUARANTINE_SHOWN = 100
SAMPLES_SHOWN = 3


@dataclass(frozen=True)
class Publish:
    """The newest line of `ops.publish` with its certificate."""

    publish_id: str
    run_id: str
    tables: int
    rows: int
    snapshot: str
    published_at: datetime
    certified: bool
    business_cut_off: date | None
    loaded_to: datetime | None
    definition_version: str
    reasons: tuple[str, ...]  # what speaks against it; empty if certified


@dataclass(frozen=True)
class Run:
    """The newest run; `message` is its first line, where that is a sentence of ours."""

    run_id: str
    state: str
    started_at: datetime
    message: str


@dataclass(frozen=True)
class Metric:
    name: str
    label: str
    owner: str
    unit: str
    tax: str
    time_role: str
    formula: str
    replaces: str
    definition: Both


@dataclass(frozen=True)
class Series:
    """One department's figure by month."""

    metric: Metric
    by_month: Mapping[date | None, Decimal]
    total: Decimal  # the metric's own value over all time


@dataclass(frozen=True)
class Passage:
    """The way from one series to the next: the identity between them, if there is one."""

    start: Series
    end: Series
    identity: str
    steps: tuple[BridgeStep, ...]  # without left and right; largest first
    same_totals: bool  # the bridge starts and ends at exactly these totals

    @property
    def difference(self) -> Decimal:
        return self.end.total - self.start.total


@dataclass(frozen=True)
class Sales:
    """The figures that go by one name."""

    series: tuple[Series, ...]
    months: tuple[date | None, ...]
    passages: tuple[Passage, ...]
    companies: tuple[str, ...] = ()  # whose figures alone they are; empty: everybody's


@dataclass(frozen=True)
class BreakLine:
    """One amount of one group, fit to be shown to anybody who may see L2."""

    group: str
    item: Break
    documents: tuple[str, ...]
    evidence: tuple[str, ...]  # source/stream/record, record, ...: one text a stream
    since: datetime | None  # first of the unbroken row of runs that saw it
    runs: int


@dataclass(frozen=True)
class Identity:
    """One identity with its bridge and the largest of its amounts."""

    result: IdentityResult
    steps: tuple[BridgeStep, ...]  # empty if nothing stands between the two sides, or units are unlike
    lines: tuple[BreakLine, ...]
    line_count: int

    @property
    def is_mixed(self) -> bool:
        """Its groups count in different units; no sum over them means anything."""
        return self.result.left_total is None


@dataclass(frozen=True)
class Cause:
    """One open case: what keeps the departments apart, by its root cause."""

    case_id: str
    name: Both
    is_known: bool  # a contradiction of documents; otherwise it only looks so
    about: str
    amount: Decimal
    unit: str
    owner: str
    since: datetime
    shows_in: tuple[Both, ...]  # titles of identities


@dataclass(frozen=True)
class Stream:
    name: str
    title: Both
    rows: int | None  # None: never loaded
    complete_to: datetime | None
    totals: int
    totals_agreeing: int
    quarantined: int


@dataclass(frozen=True)
class Module:
    """What one system holds for one module."""

    module: str
    source: str
    title: Both
    door: Both
    streams: tuple[Stream, ...]
    whole: tuple[int, int] = (0, 0)  # totals of the whole system, and how many of them agree

    @property
    def rows(self) -> int:
        return sum(stream.rows or 0 for stream in self.streams)

    @property
    def complete_to(self) -> datetime | None:
        """Every stream is complete up to here; None if one was never loaded."""
        moments = [stream.complete_to for stream in self.streams]
        return min((m for m in moments if m is not None), default=None) if None not in moments else None

    @property
    def totals(self) -> int:
        return self.whole[0] + sum(stream.totals for stream in self.streams)

    @property
    def totals_agreeing(self) -> int:
        return self.whole[1] + sum(stream.totals_agreeing for stream in self.streams)

    @property
    def quarantined(self) -> int:
        return sum(stream.quarantined for stream in self.streams)


@dataclass(frozen=True)
class Disagreement:
    """A control total that does not agree."""

    source: str
    stream: str
    origin: str
    measure: str
    source_says: str
    landed: str | None


@dataclass(frozen=True)
class Aside:
    """One row in quarantine; key and reason without personal values."""

    source: str
    stream: str
    origin: str
    row_number: int | None
    key: str
    rule: str
    reason: str
    owner: str


@dataclass(frozen=True)
class Check:
    name: str  # as the verdict has it: table.check_id
    suite: str
    check_id: str
    strong: bool
    state: str
    unexpected: int | None
    owner: str
    title: Both
    observed: str | None  # only if it is a number or a date; a text may quote somebody

    @property
    def holds(self) -> bool:
        return self.state == "passed"


@dataclass(frozen=True)
class Off:
    """An identity or check that does not hold; `anchor` is its place on the page."""

    title: Both
    owner: str
    anchor: str
    blocks: bool


@dataclass(frozen=True)
class Board:
    """The whole page."""

    company: str | None
    publish: Publish | None
    run: Run | None
    verified_run: str | None
    off: tuple[Off, ...]  # rules of that run that do not hold
    sales: Sales | None
    identities: tuple[Identity, ...]
    causes: tuple[Cause, ...]  # the largest
    cause_count: int
    modules: tuple[Module, ...]
    disagreements: tuple[Disagreement, ...]
    quarantined: int
    quarantine: tuple[Aside, ...]  # the first of them
    checks: tuple[Check, ...]
    metrics: tuple[Metric, ...]

    @property
    def state(self) -> Literal["empty", "unpublished", "reserved", "certified"]:
        if self.publish is not None:
            return "certified" if self.publish.certified else "reserved"
        return "unpublished" if any(module.rows for module in self.modules) else "empty"

    @property
    def later(self) -> Run | None:
        """A run after the last publish that was not published: the page then shows more than is published."""
        if self.publish is None or self.run is None or self.run.run_id == self.publish.run_id:
            return None
        return self.run if self.run.state not in {"unchanged", "published"} else None

    @property
    def failing(self) -> tuple[Check, ...]:
        """Checks that do not hold, strong ones first."""
        return tuple(sorted((c for c in self.checks if not c.holds), key=lambda c: not c.strong))

    @property
    def blocking(self) -> tuple[Off, ...]:
        """What stops a publish of the state that is shown."""
        return tuple(rule for rule in self.off if rule.blocks)

    @property
    def weak(self) -> tuple[Off, ...]:
        """What does not hold and stops nothing."""
        return tuple(rule for rule in self.off if not rule.blocks)


def read_board(
    con: duckdb.DuckDBPyConnection,
    sources: Mapping[str, Source],
    sales: Sequence[str],
    bridges: Sequence[str],
) -> Board:
    """Read the board; parts that are missing from the warehouse stay empty.

    Args:
        con: The warehouse; read-only is enough.
        sources: Contracts, for titles and for what may be shown.
        sales: Metrics that are compared month by month; one of the file's own units.
        bridges: Identities that lead from each of them to the next.
    """
    relations = every_relation(con)
    publish = _publish(con, sources, relations)
    verified = last_verified_run(con) if "ops.check_result" in relations else None
    identities = _identities(con, sources, relations)
    metrics = _metrics(con, relations)
    causes, cause_count = _causes(con, sources, relations, identities)
    aside = open_quarantine(con) if "ops.quarantine_open" in relations else []
    return Board(
        company=_company(con, relations),
        publish=publish,
        run=_run(con, relations),
        verified_run=verified,
        off=_off(con, verified) if verified and "ops.identity_result" in relations else (),
        sales=_sales(con, sales, bridges, identities, metrics),
        identities=identities,
        causes=causes,
        cause_count=cause_count,
        modules=_modules(con, sources, relations, aside),
        disagreements=_disagreements(con, relations),
        quarantined=len(aside),
        quarantine=_quarantine(con, sources, relations, aside[:QUARANTINE_SHOWN]),
        checks=_checks(con, sources, relations, verified),
        metrics=metrics,
    )


# --- what was published ---------------------------------------------------------------------------


def _publish(
    con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], relations: set[str]
) -> Publish | None:
    if not {"ops.publish", "ops.certificate"} <= relations:
        return None
    row = con.execute(
        """
        select p.publish_id, p.run_id, p.tables, p.rows, p.snapshot, p.published_at, coalesce(c.certified, false),
            c.business_cut_off, c.loaded_to, coalesce(c.definition_version, ''), c.reasons
        from ops.publish as p left join ops.certificate as c using (publish_id)
        order by p.published_at desc limit 1
        """
    ).fetchone()
    if row is None:
        return None
    # A publish whose certificate is gone states nothing; it is not certified.
    *facts, reasons = row
    said_against = json.loads(reasons) if reasons is not None else ["the publish has no certificate"]
    veil = personal(con, sources, relations, said_against)
    return Publish(*facts, reasons=tuple(map(veil.hide, said_against)))


def _run(con: duckdb.DuckDBPyConnection, relations: set[str]) -> Run | None:
    if "ops.run" not in relations:
        return None
    row = con.execute(
        "select run_id, state, started_at, split_part(coalesce(message, ''), chr(10), 1)"
        " from ops.run order by started_at desc limit 1"
    ).fetchone()
    if row is None:
        return None
    # What failed models and suites say comes from other programs and may quote a value.
    return Run(row[0], row[1], row[2], row[3] if row[1] in {"blocked", "refused"} else "")


def _company(con: duckdb.DuckDBPyConnection, relations: set[str]) -> str | None:
    """Whose figures these are, by name: the companies that have books here."""
    if "marts.dim_organisation" not in relations:
        return None
    with_books = "organisation_key in (select company_key from marts.fct_ledger_entry_line)"
    rows = con.execute(
        "select organisation_name from marts.dim_organisation where organisation_kind = 'company'"
        + (f" and {with_books}" if "marts.fct_ledger_entry_line" in relations else "")
        + " order by all"
    ).fetchall()
    return " · ".join(name for (name,) in rows) or None


# --- what departments count -----------------------------------------------------------------------


def _sales(
    con: duckdb.DuckDBPyConnection,
    names: Sequence[str],
    bridges: Sequence[str],
    identities: Sequence[Identity],
    metrics: Sequence[Metric],
) -> Sales | None:
    catalogue = {metric.name: metric for metric in metrics}
    known = {identity.result.identity: identity for identity in identities}
    companies = _bridged([known[name] for name in bridges if name in known])
    try:
        series = {name: _series(con, catalogue[name], companies) for name in names if name in catalogue}
    except MetricError:  # the layer was built for another set of definitions
        return None
    months = sorted({day for one in series.values() for day in one.by_month}, key=lambda day: day or date.max)
    passages = [
        _passage(series[start], series[end], known.get(bridge_name))
        for start, end, bridge_name in zip(names, names[1:], bridges, strict=False)
        if start in series and end in series
    ]
    return Sales(tuple(series.values()), tuple(months), tuple(passages), companies) if series else None


def _bridged(identities: Sequence[Identity]) -> tuple[str, ...]:
    """The companies that all bridges are claimed for; figures of others would stand beside bridges without them."""
    claimed = [
        set(identity.result.companies.split(", ")) for identity in identities if identity.result.companies
    ]
    return tuple(sorted(set.intersection(*claimed))) if claimed else ()


def _series(con: duckdb.DuckDBPyConnection, metric: Metric, companies: Sequence[str]) -> Series:
    """A metric by month and in all, of some companies or of everybody."""
    by_month: dict[date | None, Decimal] = {}
    total = Decimal(0)
    for where in [{"company_code": company} for company in companies] or [{}]:
        # the company is a column where it is asked for: the period is the first, the value the last
        for month, *_, value in answer(con, metric.name, grain="month", where=where).rows:
            if value is not None:
                by_month[month] = by_month.get(month, Decimal(0)) + value
        total += sum((row[-1] or 0 for row in answer(con, metric.name, where=where).rows), Decimal(0))
    return Series(metric, by_month, total)


def _passage(start: Series, end: Series, identity: Identity | None) -> Passage:
    if identity is None:
        return Passage(start, end, "", (), False)
    result = identity.result
    return Passage(
        start,
        end,
        result.identity,
        identity.steps[1:-1],
        (result.left_total, result.right_total) == (start.total, end.total),
    )


# --- identities -----------------------------------------------------------------------------------


def _identities(
    con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], relations: set[str]
) -> tuple[Identity, ...]:
    if not {"tie.identity_result", "tie.identity_break"} <= relations:
        return ()
    by_identity: dict[str, list[Break]] = {}
    for item in breaks(con):
        by_identity.setdefault(item.identity, []).append(item)
    shown = [item for items in by_identity.values() for item in items[:BREAKS_SHOWN]]
    veil = personal(con, sources, relations, _texts(shown))
    ages = (
        {(age.identity, age.group_key, age.cause): (age.first_seen, age.runs) for age in open_breaks(con)}
        if {"ops.break", "ops.identity_result"} <= relations
        else {}
    )
    found = []
    for result in identity_results(con):
        items = by_identity.get(result.identity, [])
        has_bridge = result.left_total is not None and (items or result.difference)
        found.append(
            Identity(
                result,
                tuple(bridge(con, result.identity)) if has_bridge else (),
                tuple(_line(item, veil, ages) for item in items[:BREAKS_SHOWN]),
                len(items),
            )
        )
    return tuple(found)


def _causes(
    con: duckdb.DuckDBPyConnection,
    sources: Mapping[str, Source],
    relations: set[str],
    identities: Sequence[Identity],
) -> tuple[tuple[Cause, ...], int]:
    """The largest open cases, and how many there are."""
    if not {"ops.tie_case", "ops.identity_result"} <= relations or not identities:
        return (), 0
    try:
        found = cases(con)
    except TieError:  # nothing was ever judged
        return (), 0
    shown = found[:CAUSES_SHOWN]
    veil = personal(con, sources, relations, {item.document for item in shown if item.document})
    titles = {it.result.identity: Both(it.result.title_zh, it.result.title_en) for it in identities}
    return tuple(
        Cause(
            item.case_id,
            of_case(item.suspect, known=item.is_known),
            item.is_known,
            veil.hide(item.document or ""),
            item.amount,
            item.unit,
            item.owner,
            item.opened_at,
            tuple(titles[name] for name in item.shows_in if name in titles),
        )
        for item in shown
    ), len(found)


def _texts(items: Sequence[Break]) -> set[str]:
    """Every text of these breaks that came out of a row."""
    texts = {text for item in items for text in (item.group_key, item.group_name)}
    texts |= {document for item in items for document in item.documents[:SAMPLES_SHOWN]}
    return texts | {row.split("/", 2)[-1] for item in items for row in item.evidence[:SAMPLES_SHOWN]}


def _line(
    item: Break, veil: Personal, ages: Mapping[tuple[str, str, str], tuple[datetime, int]]
) -> BreakLine:
    # The ledger joins kind and name of a cause: see tieout.tie.results.record.
    cause = item.cause if item.cause == item.cause_name else f"{item.cause}.{item.cause_name}"
    since, runs = ages.get((item.identity, item.group_key, cause), (None, 0))
    return BreakLine(
        veil.group(item.group_key, item.group_name or item.group_key),
        item,
        tuple(veil.hide(document) for document in item.documents[:SAMPLES_SHOWN]),
        _by_stream([veil.evidence(row) for row in item.evidence[:SAMPLES_SHOWN]]),
        since,
        runs,
    )


def _by_stream(rows: Sequence[str]) -> tuple[str, ...]:
    """Source rows with their system and table said once."""
    records: dict[str, list[str]] = {}
    for row in rows:
        *place, record = row.split("/", 2)
        records.setdefault("/".join(place), []).append(record)
    return tuple(f"{place}/{', '.join(found)}" for place, found in records.items())


# --- what came in ---------------------------------------------------------------------------------


def _modules(
    con: duckdb.DuckDBPyConnection,
    sources: Mapping[str, Source],
    relations: set[str],
    aside: Sequence[Quarantined],
) -> tuple[Module, ...]:
    rows = _row_counts(con, sources, relations)
    loaded: dict[tuple[str, str], datetime] = {}
    totals: dict[tuple[str, str], tuple[int, int]] = {}
    if "ops.watermark" in relations:
        found = con.execute("select source, stream, complete_to from ops.watermark").fetchall()
        loaded = {(source, stream): moment for source, stream, moment in found}
    if "ops.control_now" in relations:
        found = con.execute(
            "select source, stream, count(*), count(*) filter (where agrees)"
            " from ops.control_now group by all"
        ).fetchall()
        totals = {(source, stream): (count, agreeing) for source, stream, count, agreeing in found}
    set_aside: dict[tuple[str, str], int] = {}
    for row in aside:
        set_aside[row.source, row.stream] = set_aside.get((row.source, row.stream), 0) + 1
    modules: dict[tuple[str, str], list[Stream]] = {}
    for source in sources.values():
        for name, stream in source.streams.items():
            where = (source.name, name)
            modules.setdefault((stream.module or source.module, source.name), []).append(
                Stream(
                    name,
                    Both(stream.title.zh, stream.title.en),
                    rows.get(where),
                    loaded.get(where),
                    *totals.get(where, (0, 0)),
                    set_aside.get(where, 0),
                )
            )
    return tuple(
        Module(
            module,
            name,
            Both(sources[name].title.zh, sources[name].title.en),
            _door(sources[name]),
            tuple(streams),
            # They belong to no stream: the system's own module shows them, or its only one.
            totals.get((name, ""), (0, 0)) if module == _home(sources[name]) else (0, 0),
        )
        for (module, name), streams in modules.items()
    )


def _door(source: Source) -> Both:
    """How the system is asked: as its vendor calls it, else by the kind of door."""
    if source.vendor:
        vendor = connector_for(source.vendor)
        return Both(vendor.zh, vendor.en)
    return CONNECTOR[source.connector]


def _home(source: Source) -> str:
    """The module of a system that shows what belongs to all of it."""
    modules = [stream.module or source.module for stream in source.streams.values()]
    return source.module if source.module in modules else modules[0]


def _row_counts(
    con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], relations: set[str]
) -> dict[tuple[str, str], int]:
    """Live rows of every loaded stream, in one query: sixty small ones take ten times as long."""
    there = [
        (source.name, name, f"{quoted(source.raw_schema)}.{quoted(name)}")
        for source in sources.values()
        for name in source.streams
        if f"{source.raw_schema}.{name}" in relations
    ]
    if not there:
        return {}
    counts = con.execute(
        " union all ".join(
            f"select {place} as place, count(*) from {table} where not _is_deleted"
            for place, (_, _, table) in enumerate(there)
        )
    ).fetchall()
    return {there[place][:2]: count for place, count in counts}


def _disagreements(con: duckdb.DuckDBPyConnection, relations: set[str]) -> tuple[Disagreement, ...]:
    if "ops.control_now" not in relations:
        return ()
    rows = con.execute(
        "select source, stream, origin, measure, source_says, landed"
        " from ops.control_now where not agrees order by all"
    ).fetchall()
    return tuple(Disagreement(*row) for row in rows)


def _quarantine(
    con: duckdb.DuckDBPyConnection,
    sources: Mapping[str, Source],
    relations: set[str],
    rows: Sequence[Quarantined],
) -> tuple[Aside, ...]:
    texts = {text for row in rows for text in (row.origin, row.record_key or "", row.reason)}
    veil = personal(con, sources, relations, texts)
    return tuple(_aside(row, sources, veil) for row in rows)


def _aside(row: Quarantined, sources: Mapping[str, Source], veil: Personal) -> Aside:
    key = (row.record_key or "") if key_is_shown(sources, row.source, row.stream) else WITHHELD
    reason = reason_shown(sources, row.source, row.stream, row.rule, row.reason)
    return Aside(
        row.source,
        row.stream,
        veil.hide(row.origin),
        row.row_number,
        veil.hide(key),
        row.rule,
        veil.hide(reason),
        row.owner,
    )


# --- checks and metrics ---------------------------------------------------------------------------


def _checks(
    con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], relations: set[str], run_id: str | None
) -> tuple[Check, ...]:
    if run_id is None:
        return ()
    rows = con.execute(
        """
        select table_name || '.' || check_id, coalesce(suite, table_name, ''), check_id, coalesce(severity = 'critical', true), status,
            unexpected_count, owner, title,
            case when regexp_full_match(observed, '[-+0-9.,:eE% ]+') then observed end
        from ops.check_result where run_id = ? order by suite, table_name, check_id
        """,
        [run_id],
    ).fetchall()
    # A telephone number is a number too.
    veil = personal(con, sources, relations, {observed for *_, observed in rows if observed})
    return tuple(
        Check(*facts, title=said(title), observed=veil.hide(observed) if observed else None)
        for *facts, title, observed in rows
    )


def _off(con: duckdb.DuckDBPyConnection, run_id: str) -> tuple[Off, ...]:
    return tuple(
        Off(said(rule.title), rule.owner, _anchor(rule), rule.blocks)
        for rule in verdict(con, run_id).rules
        if not rule.holds
    )


def _anchor(rule: Rule) -> str:
    if rule.name == f"no {rule.kind}":  # stands in for rules that were never run
        return "checks" if rule.kind == "check" else "identities"
    return f"{rule.kind}-{rule.name}"


def _metrics(con: duckdb.DuckDBPyConnection, relations: set[str]) -> tuple[Metric, ...]:
    if "metrics.metric_catalog" not in relations:
        return ()
    rows = con.execute(
        """
        select metric_name, label, owner, unit, tax, time_role, coalesce(formula, ''), coalesce(replaces, ''),
            coalesce(description_zh, ''), coalesce(description_en, '')
        from metrics.metric_catalog order by owner, metric_name
        """
    ).fetchall()
    return tuple(Metric(*facts, definition=Both(zh, en)) for *facts, zh, en in rows)
