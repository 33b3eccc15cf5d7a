"""The control tables (schema `ops`): what ran, what came in, what was set aside, what was checked.

One home for their shape. They live in the warehouse file, so they change in the same transaction as the
rows they speak of.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from sources.contract import SoftDelete, Source, Stream
from tieout.engine import constants, literal, quoted
from tieout.ingest.tables import raw_table

if TYPE_CHECKING:
    import duckdb

    from tieout.ingest.batch import Batch
    from tieout.ingest.landing import Manifest
    from tieout.ingest.load import Loaded

# Tables whose content comes from landing alone.
REBUILT = ("batch", "watermark", "control_total", "quarantine")

TABLES = {
    "run": """
        run_id text primary key, started_at timestamptz not null, finished_at timestamptz,
        state text not null, fingerprint text, message text""",
    "batch": """
        source text not null, stream text not null, batch_id text not null, scope text not null,
        complete boolean not null, origin text not null,
        extracted_at timestamptz not null, loaded_at timestamptz not null,
        rows_in bigint not null, rows_loaded bigint not null, rows_unchanged bigint not null,
        rows_quarantined bigint not null, rows_deleted bigint not null,
        bytes bigint not null, content_hash text not null, contract_version text not null,
        primary key (source, stream, batch_id)""",
    "watermark": """
        source text not null, stream text not null, complete_to timestamptz not null,
        batch_id text not null, cursor_to text, primary key (source, stream)""",
    "control_total": """
        source text not null, stream text not null, batch_id text not null, origin text not null,
        measure text not null, source_says text not null, landed text, loaded text, quarantined text,
        agrees boolean not null""",
    "quarantine": """
        source text not null, stream text not null, batch_id text not null, origin text not null,
        row_number bigint, record_key text, rule text not null, reason text not null,
        record text not null, owner text not null, quarantined_at timestamptz not null,
        record_hash text not null, closed_by text, decision text, decided_by text""",
    "check_result": """
        run_id text not null, suite text, table_name text, check_id text, title text, severity text,
        status text, observed text, unexpected_count bigint, owner text, checked_at timestamptz""",
    "identity_result": """
        run_id text not null, identity text, title text, owner text, severity text, status text,
        left_total decimal(38, 4), right_total decimal(38, 4), difference decimal(38, 4),
        explained decimal(38, 4), unexplained decimal(38, 4), groups bigint, groups_off bigint,
        checked_at timestamptz""",
    "break": """
        run_id text not null, identity text, group_key text, left_value decimal(38, 4),
        right_value decimal(38, 4), difference decimal(38, 4), cause text, cause_amount decimal(38, 4),
        evidence text, owner text""",
    "tie_case_run": """
        run_id text not null, case_id text not null, checked_at timestamptz not null, suspect text, identity text,
        document text, owner text, amount decimal(38, 4), unit text, groups bigint, identities text, anchors text""",
    "tie_case_finding": """
        case_id text not null, run_id text not null, identity text, group_key text, document text, suspect text,
        amount decimal(38, 4), unit text, evidence text""",
    "certificate": """
        publish_id text primary key, run_id text not null, certified boolean not null, reasons text not null,
        business_cut_off date, loaded_to timestamptz, watermarks text not null, strong_checks bigint,
        strong_failed bigint, weak_failed bigint, identities bigint, identities_broken bigint,
        rows_quarantined bigint, definition_version text, issued_at timestamptz not null,
        control_totals bigint, control_totals_off bigint, quarantined text, absent text, policy_version text""",
    # What each publish made of the figures departments have handed in (tieout/claimed/kept.py).
    "claimed_figure": """
        publish_id text not null, report_id text not null, line text not null, department text, word text,
        metric_name text, period_start date, period_end date, filters text not null, claimed decimal(38, 8),
        governed decimal(38, 8), difference decimal(38, 8), unit text, state text not null, causes text not null,
        compared_at timestamptz not null, primary key (publish_id, report_id, line)""",
    "publish": """
        publish_id text primary key, run_id text not null, fingerprint text not null, content_hash text not null,
        tables bigint not null, rows bigint not null, snapshot text not null, door text not null,
        published_at timestamptz not null""",
    # What every published table held: in the warehouse, and (masked) in the snapshot file; what it was made of.
    "publish_table": """
        publish_id text not null, table_name text not null, rows bigint not null, content_hash text not null,
        snapshot_hash text, definition text, engine text not null, primary key (publish_id, table_name)""",
    "report_certificate": """
        publish_id text not null, report text not null, title text not null, owner text not null,
        certified boolean not null, reasons text not null, notes text not null, business_cut_off date,
        loaded_to timestamptz, definition_version text, figures text not null,
        issued_at timestamptz not null, primary key (publish_id, report)""",
}

VIEWS = {
    # The batches whose word counts today: per scope the newest complete one, and the newest increment.
    "batch_now": """
        select * from ops.batch where scope not like 'window %' qualify row_number() over (
            partition by source, stream, case when complete then scope end order by batch_id desc
        ) = 1""",
    # A total of a whole source belongs to no stream and no batch: the last one is the one that counts.
    "control_now": """
        select c.* from ops.control_total as c semi join ops.batch_now using (source, stream, batch_id)
        union all select * from ops.control_total where stream = ''""",
    # Rows that are set aside and wait for a person or for the source.
    # A root cause over all runs: open while the last run finds it, closed by the first one that does not any more.
    "tie_case": """
        with
            runs as (
                select run_id, min(checked_at) as checked_at, row_number() over (order by min(checked_at), run_id) as place
                from ops.identity_result group by run_id
            ),
            seen as (
                select c.*, runs.place, runs.place > 1 + lag(runs.place, 1, runs.place - 1) over (
                    partition by c.case_id order by runs.place
                ) as comes_back
                from ops.tie_case_run as c join runs using (run_id)
            ),
            life as (
                select case_id, min(place) as first_place, max(place) as last_place, count(*) as runs,
                    count(*) filter (where comes_back) as reopened
                from seen group by case_id
            )
        select life.case_id, case when gone.run_id is null then 'open' else 'closed' end as state,
            last.suspect, last.identity, last.document, last.owner, last.amount, last.unit, last.groups, last.identities,
            first.run_id as opened_run, first.checked_at as opened_at, last.run_id as seen_run,
            last.checked_at as seen_at, life.runs, life.reopened, gone.run_id as closed_run, gone.checked_at as closed_at
        from life
        join runs as first on life.first_place = first.place
        join seen as last on life.case_id = last.case_id and life.last_place = last.place
        left join runs as gone on life.last_place + 1 = gone.place""",
    "quarantine_open": "select * from ops.quarantine where closed_by is null and decision is null",
    # Rules of every run by table and owner: how many held, and by weight (strong 3, weak 1: see tieout.tie.scores).
    "check_score": """
        with rules as (
            select run_id, checked_at, owner, table_name, case when severity = 'critical' then 3 else 1 end as weight,
                status = 'passed' as holds, status = 'error' as is_error
            from ops.check_result
            union all
            select run_id, checked_at, owner, 'identity_' || identity, case when severity = 'critical' then 3 else 1 end,
                status in ('holds', 'explained'), false
            from ops.identity_result
        )
        select run_id, max(checked_at) as checked_at, owner, table_name, count(*) as rules,
            count(*) filter (holds) as held, count(*) filter (not holds and not is_error) as failed,
            count(*) filter (is_error) as errors, cast(sum(weight) as bigint) as weight,
            cast(coalesce(sum(weight) filter (holds), 0) as bigint) as weight_held
        from rules group by run_id, owner, table_name""",
}


# Shapes of ledgers this process has made or made good: nothing would change in one that looks the same.
_SETTLED: set[str] = set()


def ensure_ledger(con: duckdb.DuckDBPyConnection) -> bool:
    """Create the control tables that are not there yet, or have another shape than this version's.

    Tables of the loader that have changed are emptied: their content comes back from landing. Returns whether
    that happened, so that the caller lets the raw tables be rebuilt as well.
    """
    if _shape(con) in _SETTLED:
        return False
    emptied = _made_good(con)
    _SETTLED.add(_shape(con))
    return emptied


def _shape(con: duckdb.DuckDBPyConnection) -> str:
    """All that `_made_good` looks at and leaves behind; to ask takes a tenth of the time of doing it again."""
    tables = dict(
        con.execute("select table_name, sql from duckdb_tables() where schema_name = 'ops'").fetchall()
    )
    views = con.execute("select view_name, sql from duckdb_views() where schema_name = 'ops'").fetchall()
    engine = con.execute("select version from ops.engine").fetchall() if "engine" in tables else []
    return repr(([tables.get(name) for name in TABLES], sorted(views), engine))


def _made_good(con: duckdb.DuckDBPyConnection) -> bool:
    con.execute("create schema if not exists ops")
    found: dict[str, list[str]] = {}
    for table, column in con.execute(
        "select table_name, column_name from duckdb_columns() where schema_name = 'ops' order by column_index"
    ).fetchall():
        found.setdefault(table, []).append(column)
    outdated = [name for name in REBUILT if name in found and found[name] != _columns(con, name)]
    if outdated or _other_engine(con, found):
        outdated = list(REBUILT)
        for name in outdated:
            con.execute(f"drop table if exists ops.{name} cascade")
    for name, columns in TABLES.items():
        con.execute(f"create table if not exists ops.{name} ({columns})")
        if name in found and name not in REBUILT:
            _extend(con, name, found[name])
    for name, select in VIEWS.items():
        con.execute(f"create or replace view ops.{name} as {select}")
    return bool(outdated)


def _other_engine(con: duckdb.DuckDBPyConnection, found: dict[str, list[str]]) -> bool:
    """Whether this file was last written by another version of DuckDB: its row hashes cannot be compared."""
    con.execute("create table if not exists ops.engine (version text not null)")
    (here,) = con.execute("select version()").fetchone() or ("",)
    known = con.execute("select version from ops.engine").fetchone()
    if known and known[0] == here:
        return False
    con.execute("delete from ops.engine")
    con.execute(f"insert into ops.engine values ({literal(here)})")
    return bool(found.get("batch")) and known is not None


def _extend(con: duckdb.DuckDBPyConnection, name: str, found: list[str]) -> None:
    """Add the columns a table of an older version lacks: what it says of earlier runs stays."""
    if set(_columns(con, name)) <= set(found):
        return
    con.execute(f"create or replace temp table shape ({TABLES[name]})")
    for column, kind, *_ in con.execute("describe shape").fetchall():
        if column not in found:
            con.execute(f"alter table ops.{name} add column {quoted(column)} {kind}")
    con.execute("drop table shape")


def _columns(con: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    con.execute(f"create or replace temp table shape ({TABLES[name]})")
    rows = con.execute("describe shape").fetchall()
    con.execute("drop table shape")
    return [row[0] for row in rows]


def record(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    batch: Batch,
    manifest: Manifest,
    outcome: Loaded,
    now: datetime,
) -> None:
    """The batch's lines in the ledger: itself, its watermark, its control totals."""
    line = constants(
        source.name,
        manifest.stream,
        manifest.batch_id,
        manifest.scope,
        manifest.complete,
        manifest.origin,
        manifest.extracted_at,
        now,
        outcome.rows_in,
        outcome.loaded,
        outcome.unchanged,
        outcome.quarantined,
        outcome.deleted,
        manifest.bytes,
        manifest.content_hash,
        manifest.contract_version,
    )
    con.execute(f"insert into ops.batch values ({line})")
    if not manifest.scope.startswith("window "):  # a window says nothing of what came after it
        line = constants(
            source.name, manifest.stream, manifest.extracted_at, manifest.batch_id, manifest.cursor_to
        )
        con.execute(f"insert or replace into ops.watermark values ({line})")
    if manifest.control:
        _record_totals(con, source, batch, manifest)


def _record_totals(con: duckdb.DuckDBPyConnection, source: Source, batch: Batch, manifest: Manifest) -> None:
    """What the source said against what landed, was loaded and was set aside: of this batch if it is complete,
    else of everything now held, since the source speaks of its whole table. One pass for all measures."""
    stream = source.streams[manifest.stream]
    said = {
        # Nothing is said of a sum over nothing but missing values.
        measure: "0" if answer in {"None", ""} else answer
        for measure, answer in manifest.control.items()
    }
    sides = _of_batch() if manifest.complete else _of_table(source, manifest.stream)
    values = ", ".join(f"{_measure(stream, measure)} as m{place}" for place, measure in enumerate(said))
    ctes = ", ".join(f"{name} as (select {values} from {rows})" for name, rows in sides.items())
    landed, loaded = "landed.m{0}", "loaded.m{0}"
    if not manifest.complete:
        landed, loaded = "held.m{0} + aside.m{0} - instead.m{0}", "held.m{0}"

    def listed(template: str) -> str:
        parts = [
            template.format(landed=landed.format(place), loaded=loaded.format(place))
            for place in range(len(said))
        ]
        return f"unnest([{', '.join(parts)}])"

    words = ", ".join(map(literal, said.values()))
    con.execute(
        f"""
        insert into ops.control_total
        with {ctes},
        compared as (
            select unnest([{", ".join(map(literal, said))}]) as measure, unnest([{words}]) as source_says,
                {listed("cast({landed} as text)")} as landed, {listed("cast({loaded} as text)")} as loaded,
                {listed("cast({landed} - ({loaded}) as text)")} as quarantined,
                {listed("cast({landed} as decimal(38, 6))")} as exact
            from {", ".join(sides)}
        )
        select {constants(source.name, manifest.stream, manifest.batch_id, manifest.origin)},
            measure, source_says, landed, loaded, quarantined,
            abs(coalesce(try_cast(source_says as decimal(38, 6)), 0) - exact) < 0.000001
        from compared
        """
    )


def _of_batch() -> dict[str, str]:
    """Relations: all rows of the batch at hand, and the good ones."""
    return {"landed": "batch_rows", "loaded": "batch_good"}


def _of_table(source: Source, name: str) -> dict[str, str]:
    """Relations: what is held, what waits in quarantine, and what is held of the keys that wait."""
    stream = source.streams[name]
    # Rows the source itself marks as deleted are still in its table, and in its count.
    there = "true" if isinstance(stream.deletes, SoftDelete) else "not _is_deleted"
    record = ", ".join(
        f"try_cast(record ->> {literal('$.' + c)} as {spec.type}) as {quoted(c)}"
        for c, spec in stream.columns.items()
    )
    key = " || '|' || ".join(f"coalesce(cast({quoted(c)} as text), '')" for c in stream.key)
    # What a person dropped is missing from what is held just like what waits.
    waiting = (
        f"from ops.quarantine where closed_by is null and decision is distinct from 'released'"
        f" and source = {literal(source.name)} and stream = {literal(name)}"
    )
    held = f"(from {raw_table(source, name)} where {there})"
    return {
        "held": held,
        "aside": f"(select {record} {waiting})",
        "instead": f"(from {raw_table(source, name)} where {there} and {key} in (select record_key {waiting}))",
    }


def _measure(stream: Stream, measure: str) -> str:
    """A control total's name (`rows`, `sum_x`, `sum_x[2025-11]`) as an aggregate."""
    name, _, period = measure.removesuffix("]").partition("[")
    only = ""
    if period and stream.control is not None and stream.control.by is not None:
        only = f" filter (where coalesce(strftime({quoted(stream.control.by)}, '%Y-%m'), 'none') = {literal(period)})"
    if name == "rows":
        return f"count(*){only}"
    return f"coalesce(sum({quoted(name.removeprefix('sum_'))}){only}, 0)"


def advance_watermarks(
    con: duckdb.DuckDBPyConnection, seen: Iterable[tuple[str, str]], now: datetime
) -> None:
    """Streams that were pulled to their end at `now` are complete up to `now`, whether or not anything was new.

    Args:
        seen: (source, stream) of every pull that did not fail.
    """
    pulled = ", ".join(f"({constants(source, stream)})" for source, stream in seen)
    if pulled:
        con.execute(
            f"update ops.watermark set complete_to = greatest(complete_to, {constants(now)})"
            f" where (source, stream) in ({pulled})"
        )
