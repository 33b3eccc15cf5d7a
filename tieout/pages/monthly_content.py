"""What the monthly review shows, read from the control tables: one month, as far as its last run knew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tieout.engine import constants, literal, relations
from tieout.pages.words import Both, said
from tieout.tie.scores import Score, scores

if TYPE_CHECKING:
    import duckdb

    from sources.contract import Source

AGES = (1, 7, 30)  # days; what is older than the last is a column of its own


@dataclass(frozen=True)
class ReportMonth:
    """One report: whether each publish of the month certified it, and what spoke against the last one."""

    report: str
    title: Both
    owner: str
    states: tuple[tuple[datetime, bool], ...]
    cut_off: date | None
    reasons: tuple[Both, ...]

    @property
    def certified(self) -> int:
        return sum(state for _, state in self.states)


@dataclass(frozen=True)
class Rate:
    """How much ties out in one run: identities that hold or are explained, and by unit the share of value explained."""

    run_id: str
    at: datetime
    identities: int
    good: int
    values: tuple[tuple[str, Decimal, Decimal], ...]  # unit, value compared, of it unexplained

    @property
    def by_count(self) -> Decimal:
        return Decimal(self.good) / self.identities


@dataclass(frozen=True)
class OpenBreak:
    """What no cause accounts for in one identity at the end of the month, all its groups together."""

    identity: str
    title: Both
    owner: str
    groups: int
    amount: Decimal
    since: datetime
    days: int
    runs: int


@dataclass(frozen=True)
class Failing:
    """A check that did not hold for a while: from its first run to its last; `open` if it is still so."""

    table: str
    title: Both
    owner: str
    strong: bool
    since: datetime
    last: datetime
    days: int
    runs: int
    rows: int | None
    is_open: bool


@dataclass(frozen=True)
class Restated:
    """Published numbers of a metric that moved for one cause, in publishes of the month."""

    metric: str
    cause: str
    numbers: int
    amount: Decimal


@dataclass(frozen=True)
class Month:
    """Everything the page shows. `cases` are those of now: (kind, owner, cases, rows)."""

    first: date
    after: date
    companies: tuple[str, ...]
    runs: int
    publishes: int
    certified: int
    reports: tuple[ReportMonth, ...]
    rates: tuple[Rate, ...]
    breaks: tuple[OpenBreak, ...]
    failing: tuple[Failing, ...]
    modules: tuple[Score, ...]
    owners: tuple[Score, ...]
    quarantine: tuple[tuple[str, int, int], ...]  # stream, set aside in the month, open at its end
    amounts: tuple[str, ...]
    restated: tuple[Restated, ...] | None  # None: the ledger keeps none
    cases: tuple[tuple[str, str, int, int], ...]


def read_month(
    con: duckdb.DuckDBPyConnection,
    first: date,
    modules: Mapping[str, str],
    sources: Mapping[str, Source],
    zone: str,
    now: datetime,
) -> Month:
    """The month that begins on `first`, in the company's zone.

    Args:
        con: The warehouse; read-only is enough.
        modules: Mart -> module.
        now: Aware; nothing after it is counted.
    """
    after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    begin = datetime.combine(first, time(), ZoneInfo(zone)).astimezone(UTC)
    end = min(datetime.combine(after, time(), ZoneInfo(zone)).astimezone(UTC), now)
    span = f">= {constants(begin)} and {{0}} < {constants(end)}"

    def within(column: str) -> str:
        return f"{column} {span.format(column)}"

    there = relations(con)
    (publishes, certified) = con.execute(
        f"select count(*), count(*) filter (certified) from ops.certificate where {within('issued_at')}"
    ).fetchone() or (0, 0)
    rates = _rates(con, within("checked_at"), there)
    last = rates[-1].run_id if rates else None
    return Month(
        first,
        after,
        _companies(con) if "marts.dim_organisation" in there else (),
        len(rates),
        publishes,
        certified,
        _reports(con, within("issued_at")),
        rates,
        _breaks(con, last, end) if last else (),
        _failing(con, begin, end),
        tuple(scores(con, "module", modules, begin, end)),
        tuple(scores(con, "owner", modules, begin, end)),
        _quarantine(con, begin, end),
        tuple(_amounts(con, sources)) if end == now else (),
        _restated(con, within("p.published_at")) if "ops.restatement" in there else None,
        _cases(con) if end == now and "marts.fct_data_case" in there else (),
    )


def _companies(con: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    rows = con.execute(
        "select organisation_name from marts.dim_organisation where organisation_kind = 'company' order by organisation_code"
    ).fetchall()
    return tuple(name for (name,) in rows if name)


def _reports(con: duckdb.DuckDBPyConnection, within: str) -> tuple[ReportMonth, ...]:
    found: dict[str, list[tuple]] = {}
    for row in con.execute(
        "select report, title, owner, issued_at, certified, business_cut_off, reasons from ops.report_certificate"
        f" where {within} order by report, issued_at"
    ).fetchall():
        found.setdefault(row[0], []).append(row)
    return tuple(
        ReportMonth(
            name,
            said(rows[-1][1]),
            rows[-1][2],
            tuple((row[3], row[4]) for row in rows),
            rows[-1][5],
            tuple(Both(item["zh"], item["en"]) for item in json.loads(rows[-1][6])),
        )
        for name, rows in found.items()
    )


def _rates(con: duckdb.DuckDBPyConnection, within: str, there: set[str]) -> tuple[Rate, ...]:
    """Runs of the month, oldest first. Units are those the identities have now; without them only counts are known."""
    units = dict(
        con.execute("select identity, unit from tie.identity_result where left_total is not null").fetchall()
        if "tie.identity_result" in there
        else []
    )
    off = {
        (run, identity): amount
        for run, identity, amount in con.execute(
            "select run_id, identity, sum(abs(cause_amount)) from ops.break where cause = 'unexplained' group by all"
        ).fetchall()
    }
    runs: dict[str, list[tuple]] = {}
    for row in con.execute(
        "select run_id, checked_at, identity, status, greatest(abs(left_total), abs(right_total))"
        f" from ops.identity_result where {within} order by checked_at, run_id, identity"
    ).fetchall():
        runs.setdefault(row[0], []).append(row)
    found = []
    for run, rows in runs.items():
        values: dict[str, list[Decimal]] = {}
        for _, _, identity, _, value in rows:
            if value is not None and identity in units:
                cell = values.setdefault(units[identity], [Decimal(0), Decimal(0)])
                cell[0] += value
                cell[1] += off.get((run, identity), Decimal(0))
        good = sum(row[3] in ("holds", "explained") for row in rows)
        listed = tuple((unit, value, left) for unit, (value, left) in sorted(values.items()))
        found.append(Rate(run, rows[0][1], len(rows), good, listed))
    return tuple(found)


def _breaks(con: duckdb.DuckDBPyConnection, last: str, end: datetime) -> tuple[OpenBreak, ...]:
    """What is unexplained in the last run of the month, each identity with the run since which it is so in every run."""
    rows = con.execute(
        f"""
        with
            runs as (
                select run_id, min(checked_at) as checked, row_number() over (order by min(checked_at), run_id) as n
                from ops.identity_result where checked_at < {constants(end)} group by run_id
            ),
            seen as (
                select b.identity, any_value(b.owner) as owner, b.run_id, runs.checked, runs.n,
                    count(distinct b.group_key) as groups, sum(abs(b.cause_amount)) as amount,
                    runs.n - row_number() over (partition by b.identity order by runs.n) as streak
                from ops.break as b join runs using (run_id) where b.cause = 'unexplained'
                group by b.identity, b.run_id, runs.checked, runs.n
            )
        select s.identity, any_value(r.title), any_value(s.owner), max_by(s.groups, s.n), max_by(s.amount, s.n),
            min(s.checked), max(s.checked), count(*)
        from seen as s
        join ops.identity_result as r on (r.identity, r.run_id) = (s.identity, {literal(last)})
        group by s.identity, s.streak
        having max(s.n) = (select n from runs where run_id = {literal(last)})
        order by min(s.checked), s.identity
        """
    ).fetchall()
    return tuple(
        OpenBreak(name, said(title), owner, groups, amount, since, (end - since).days, runs)
        for name, title, owner, groups, amount, since, _, runs in rows
    )


def _failing(con: duckdb.DuckDBPyConnection, begin: datetime, end: datetime) -> tuple[Failing, ...]:
    """Checks that did not hold in some run of the month; each unbroken series of such runs is one line."""
    rows = con.execute(
        f"""
        with
            runs as (
                select run_id, min(checked_at) as checked, row_number() over (order by min(checked_at), run_id) as n
                from ops.check_result where checked_at < {constants(end)} group by run_id
            ),
            seen as (
                select c.suite, c.check_id, c.title, c.owner, c.severity, c.unexpected_count, runs.checked, runs.n,
                    runs.n - row_number() over (partition by c.suite, c.check_id order by runs.n) as streak
                from ops.check_result as c join runs using (run_id) where c.status <> 'passed'
            )
        select suite, max_by(title, n), max_by(owner, n), max_by(severity, n) = 'critical', min(checked), max(checked), count(*),
            max_by(unexpected_count, n), max(n) = (select max(n) from runs)
        from seen group by suite, check_id, streak having max(checked) >= {constants(begin)}
        order by 9 desc, 4 desc, min(checked), suite, check_id
        """
    ).fetchall()
    return tuple(
        Failing(table, said(title), owner, strong, since, last, ((end if is_open else last) - since).days, runs, count, is_open)
        for table, title, owner, strong, since, last, runs, count, is_open in rows
    )  # fmt: skip


def _quarantine(
    con: duckdb.DuckDBPyConnection, begin: datetime, end: datetime
) -> tuple[tuple[str, int, int], ...]:
    rows = con.execute(
        f"""
        select q.source || '.' || q.stream, count(*) filter (q.quarantined_at >= {constants(begin)}),
            count(*) filter (q.decision is null and (q.closed_by is null or coalesce(b.loaded_at >= {constants(end)}, false)))
        from ops.quarantine as q
        left join ops.batch as b on (b.source, b.stream, b.batch_id) = (q.source, q.stream, q.closed_by)
        where q.quarantined_at < {constants(end)} group by 1 having sum(1) > 0 order by 3 desc, 2 desc, 1
        """
    ).fetchall()
    return tuple(row for row in rows if row[1] or row[2])


def _amounts(con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source]) -> list[str]:
    from tieout.ingest.quarantine.amounts import disclosed

    return disclosed(con, sources)


def _restated(con: duckdb.DuckDBPyConnection, within: str) -> tuple[Restated, ...]:
    """By metric and cause, months in total only: members of a dimension would count the same money again."""
    rows = con.execute(
        f"""
        select r.metric_name, r.cause, count(*), sum(r.amount) from ops.restatement as r
        join ops.publish as p using (publish_id)
        where {within} and r.time_grain = 'month' and r.dim_set = 'all'
        group by all order by sum(abs(r.amount)) desc, 1, 2
        """
    ).fetchall()
    return tuple(Restated(*row) for row in rows)


def _cases(con: duckdb.DuckDBPyConnection) -> tuple[tuple[str, str, int, int], ...]:
    rows = con.execute(
        "select case_kind, owner, count(*), cast(sum(row_count) as bigint) from marts.fct_data_case"
        " group by all order by 3 desc, 1, 2"
    ).fetchall()
    return tuple((kind, owner, count, touched or 0) for kind, owner, count, touched in rows)
