"""What the identities said: read from schema `tie`, and appended to the history in schema `ops`.

The tables are made by the generated models (`tieout.tie.generate`); here they are only read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tieout.engine import quoted
from tieout.tie.claims import Claim, Process, Severity, Status
from tieout.tie.generate import contributions_sql, resolved

if TYPE_CHECKING:
    import duckdb


class TieError(Exception):
    """Results of identities cannot be read or recorded; the message says what to do."""


@dataclass(frozen=True)
class IdentityResult:
    """One identity over all its groups; amounts in `unit`, None when its groups count in different units."""

    identity: str
    title_zh: str
    title_en: str
    owner: str
    with_department: str
    process: Process
    severity: Severity
    unit: str
    left_label_zh: str
    left_label_en: str
    right_label_zh: str
    right_label_en: str
    companies: str  # that it is claimed for, by code; empty for all
    tolerance: Decimal
    status: Status
    left_total: Decimal | None
    right_total: Decimal | None
    difference: Decimal | None  # right - left
    explained: Decimal | None
    unexplained: Decimal | None
    group_count: int
    groups_off: int  # groups that do not simply hold: explained or broken
    groups_broken: int

    @property
    def is_here(self) -> bool:
        """Whether the companies it is claimed for are used here: it is silent about those that are not."""
        return self.group_count > 0 or self.status != "holds" or not self.companies

    @property
    def blocks(self) -> bool:
        """Whether this is a strong break: nothing may be published."""
        return self.severity == "critical" and self.status == "broken"


@dataclass(frozen=True)
class Break:
    """One amount that stands between the two sides of one group, with a sample of its source rows."""

    identity: str
    group_key: str
    group_name: str
    status: Status
    left_value: Decimal
    right_value: Decimal
    difference: Decimal
    cause: str  # kind; 'unexplained' for what no cause accounts for
    cause_name: str  # unique within the identity
    cause_title_zh: str
    cause_title_en: str
    cause_amount: Decimal
    evidence: tuple[str, ...]  # source/stream/record
    documents: tuple[str, ...]
    # only for unexplained: missing_left, missing_right, duplicate, cutoff, mapping, tax, rounding, amount,
    # quantity
    suspect: str | None
    owner: str


@dataclass(frozen=True)
class BridgeStep:
    """One step of left + causes + unexplained = right."""

    name: str  # 'left', a cause's name, 'unexplained' or 'right'
    title_zh: str
    title_en: str
    amount: Decimal | None  # None for a sum over groups that count in different units


@dataclass(frozen=True)
class Contribution:
    """One source row's amount in one part of a claim."""

    group: tuple[str, ...]
    document: str | None
    part: str
    amount: Decimal
    evidence: str


@dataclass(frozen=True)
class OpenBreak:
    """How long an amount has stood between two sides without interruption."""

    identity: str
    group_key: str
    cause: str
    first_run_id: str
    first_seen: datetime
    runs: int


def identity_results(con: duckdb.DuckDBPyConnection) -> list[IdentityResult]:
    """All identities, worst first: strong breaks, other breaks, explained, holding; then by name.

    Raises: TieError if the identities were never computed.
    """
    columns = ", ".join(IdentityResult.__dataclass_fields__)
    rows = _rows(con, f"select {columns} from tie.identity_result", "tie.identity_result")
    rank = {"broken": 0, "explained": 1, "holds": 2}
    found = [IdentityResult(*row) for row in rows]
    return sorted(found, key=lambda result: (not result.blocks, rank[result.status], result.identity))


@dataclass(frozen=True)
class Rates:
    """How much of a company ties out: holds or is explained. Value is that of identities in CNY, added up."""

    identities: int
    identities_tied: int
    groups: int
    groups_tied: int
    value: Decimal
    value_off: Decimal  # unexplained, whatever its sign


def unexplained_amounts(con: duckdb.DuckDBPyConnection) -> dict[str, Decimal]:
    """Per identity what is unexplained, group by group and whatever its sign: two breaks never cancel each other."""
    rows = _rows(
        con,
        "select identity, sum(abs(cause_amount)) from tie.identity_break where cause = 'unexplained' group by identity",
        "tie.identity_break",
    )
    return dict(rows)


def rates(con: duckdb.DuckDBPyConnection) -> Rates:
    """The tie-out rate by identities, by groups and by value.

    Raises: TieError if the identities were never computed.
    """
    results = [result for result in identity_results(con) if result.is_here]
    off = unexplained_amounts(con)
    money = [result for result in results if result.unit == "CNY" and result.left_total is not None]
    return Rates(
        identities=len(results),
        identities_tied=sum(result.status != "broken" for result in results),
        groups=sum(result.group_count for result in results),
        groups_tied=sum(result.group_count - result.groups_broken for result in results),
        value=sum((abs(result.left_total or Decimal(0)) for result in money), Decimal(0)),
        value_off=sum((off.get(result.identity, Decimal(0)) for result in money), Decimal(0)),
    )


def breaks(
    con: duckdb.DuckDBPyConnection, identity: str | None = None, group_key: str | None = None
) -> list[Break]:
    """Every amount that stands between two sides, largest unexplained first, then causes by size.

    Raises: TieError if the identities were never computed or none is called `identity`.
    """
    if identity is not None:
        _known(con, identity)
    columns = ", ".join(Break.__dataclass_fields__)
    rows = _rows(
        con,
        f"""select {columns} from tie.identity_break
        where ($identity is null or identity = $identity) and ($group_key is null or group_key = $group_key)
        order by identity, cause <> 'unexplained', abs(cause_amount) desc, group_key, cause_name""",
        "tie.identity_break",
        {"identity": identity, "group_key": group_key},
    )
    return [_break(row) for row in rows]


def bridge(con: duckdb.DuckDBPyConnection, identity: str, group_key: str | None = None) -> list[BridgeStep]:
    """The way from left to right, over all groups or in one; causes with no amount anywhere are left out.

    The first step plus all middle ones equals the last, exactly.

    Raises: TieError if there is no such identity or group.
    """
    result = _known(con, identity)
    left, right = result.left_total, result.right_total
    mixed = left is None and group_key is None
    if group_key is not None:
        found = con.execute(
            f"select left_value, right_value from tie.{quoted('identity_' + identity)} where group_key = ?",
            [group_key],
        ).fetchone()
        if found is None:
            raise TieError(
                f"{identity} has no group {group_key!r}. `tieout tie {identity}` lists its groups."
            )
        left, right = found
    causes = con.execute(
        """select cause_name, any_value(cause_title_zh), any_value(cause_title_en), sum(cause_amount)
        from tie.identity_break where identity = $identity and ($group_key is null or group_key = $group_key)
        group by cause_name order by cause_name = 'unexplained', abs(sum(cause_amount)) desc, cause_name""",
        {"identity": identity, "group_key": group_key},
    ).fetchall()
    return [
        BridgeStep("left", result.left_label_zh, result.left_label_en, left),
        *(BridgeStep(*row[:3], None if mixed else row[3]) for row in causes),
        BridgeStep("right", result.right_label_zh, result.right_label_en, right),
    ]


def contributions(
    con: duckdb.DuckDBPyConnection, claim: Claim, part: str | None = None, limit: int | None = None
) -> list[Contribution]:
    """All source rows behind a claim, not only the sample: what `left`, `right` or a cause is made of.

    Args:
        con: The warehouse; models are found by name in any schema.
        claim: As read from its YAML.
        part: 'left', 'right' or a cause's name; None for all.
        limit: At most so many rows, largest amounts first.
    """
    groups = ", ".join(f"cast({column} as text)" for column in claim.by)
    sql = f"""select [{groups}], document, part, amount, evidence
        from ({resolved(contributions_sql(claim), lambda name: _relation(con, name))}) as contributions
        where $part is null or part = $part
        order by abs(amount) desc, evidence {f"limit {int(limit)}" if limit is not None else ""}"""
    return [Contribution(tuple(row[0]), *row[1:]) for row in con.execute(sql, {"part": part}).fetchall()]


def record(con: duckdb.DuckDBPyConnection, run_id: str, checked_at: datetime) -> None:
    """Append this run's results to `ops.identity_result` and `ops.break`; recording a run again replaces it.

    Args:
        con: Open connection to the warehouse; the caller owns the transaction.
        checked_at: Aware.

    Raises: TieError if the identities were never computed.
    """
    identity_results(con)  # refuses early, before anything is deleted
    con.execute("delete from ops.identity_result where run_id = ?", [run_id])
    con.execute("delete from ops.break where run_id = ?", [run_id])
    con.execute(
        """insert into ops.identity_result (run_id, identity, title, owner, severity, status, left_total,
            right_total, difference, explained, unexplained, groups, groups_off, checked_at)
        select ?, identity, title_zh || ' / ' || title_en, owner, severity, status, left_total,
            right_total, difference, explained, unexplained, group_count, groups_off, ?
        from tie.identity_result""",
        [run_id, checked_at],
    )
    con.execute(
        """insert into ops.break (run_id, identity, group_key, left_value, right_value, difference, cause,
            cause_amount, evidence, owner)
        select ?, identity, group_key, left_value, right_value, difference,
            case when cause = cause_name then cause else cause || '.' || cause_name end,
            cause_amount, evidence, owner
        from tie.identity_break""",
        [run_id],
    )


def open_breaks(con: duckdb.DuckDBPyConnection) -> list[OpenBreak]:
    """The breaks of the last recorded run, each with the run since which it has been there in every run."""
    rows = con.execute(
        """with
            runs as (
                select run_id, min(checked_at) as checked_at, row_number() over (order by min(checked_at), run_id) as n
                from ops.identity_result group by run_id
            ),
            seen as (
                select b.identity, b.group_key, b.cause, b.run_id, runs.checked_at, runs.n,
                    -- equal for runs without a gap between them
                    runs.n - row_number() over (partition by b.identity, b.group_key, b.cause order by runs.n) as streak
                from ops.break as b join runs using (run_id)
            )
        select identity, group_key, cause, arg_min(run_id, n), min(checked_at), count(*)
        from seen
        group by identity, group_key, cause, streak
        having max(n) = (select max(n) from runs)
        order by min(n), identity, group_key, cause"""
    ).fetchall()
    return [OpenBreak(*row) for row in rows]


def _known(con: duckdb.DuckDBPyConnection, identity: str) -> IdentityResult:
    results = identity_results(con)
    for result in results:
        if result.identity == identity:
            return result
    import difflib

    known = sorted({r.identity for r in results} | {r.process for r in results})
    near = difflib.get_close_matches(identity, known, n=3, cutoff=0.5)
    raise TieError(
        f"There is no identity and no process {identity!r}. "
        + (f"Did you mean {', '.join(near)}? " if near else "")
        + "`tieout tie --all` lists the identities."
    )


def _break(row: tuple[Any, ...]) -> Break:
    """A row of `tie.identity_break`, its two JSON lists as tuples."""
    values: dict[str, Any] = dict(zip(Break.__dataclass_fields__, row, strict=True))
    for name in ("evidence", "documents"):
        values[name] = tuple(json.loads(values[name]))
    return Break(**values)


def _rows(
    con: duckdb.DuckDBPyConnection, sql: str, table: str, parameters: dict[str, str | None] | None = None
) -> list[tuple]:
    import duckdb

    try:
        return con.execute(sql, parameters or {}).fetchall()
    except duckdb.CatalogException as error:
        raise TieError(
            f"{table} cannot be read: {error}. Run `tieout refresh`; dbt builds schema tie."
        ) from error


def _relation(con: duckdb.DuckDBPyConnection, model: str) -> str:
    """Where a model was built; model names are unique in a dbt project, but `ops` and raw tables are not models."""
    found = con.execute(
        """select schema_name, name from (
            select database_name, schema_name, table_name as name from duckdb_tables()
            union all select database_name, schema_name, view_name from duckdb_views() where not internal
        ) where database_name = current_database() and name = ? and schema_name not like 'raw%' and schema_name <> 'ops'""",
        [model],
    ).fetchall()
    if len(found) != 1:
        raise TieError(f"{model} was found in {len(found)} schemas, not in one. Run `tieout refresh` first.")
    return f"{quoted(found[0][0])}.{quoted(found[0][1])}"
