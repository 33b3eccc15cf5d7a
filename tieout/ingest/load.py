"""Load landed batches into raw history: one writer, one transaction a batch, safe to repeat.

Per batch: every value is cast to the contract's type; rows that break a rule go to `ops.quarantine` with
the rule, the reason and their position; versions whose content is new are appended to
`raw_<source>.<stream>__history`; keys the batch should hold but does not are marked deleted; the current
state `raw_<source>.<stream>` follows. Always: rows in = loaded + unchanged + quarantined.

A batch that is older than one already loaded makes its stream be rebuilt from landing in order, so the
tables depend on which batches there are and never on the order in which they were loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sources.contract import TECHNICAL_COLUMNS, Column, Source, Stream
from tieout.engine import literal, quoted
from tieout.ingest.landing import WHOLE_TABLE, Landing, Manifest

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

_TECHNICAL = """
    _batch_id text not null, _loaded_at timestamptz not null, _hash ubigint not null,
    _origin text not null, _row bigint, _is_deleted boolean not null
"""


@dataclass(frozen=True)
class Loaded:
    """What one batch did; ``rows_in == loaded + unchanged + quarantined``, deletions come on top."""

    source: str
    stream: str
    batch_id: str
    rows_in: int
    loaded: int
    unchanged: int
    quarantined: int
    deleted: int


def pending(con: duckdb.DuckDBPyConnection, sources: dict[str, Source], landing: Landing) -> list[Manifest]:
    """Batches that have landed but are not in the ledger, oldest first per stream."""
    known = set(con.execute("select source, stream, batch_id from ops.batch").fetchall())
    return [
        manifest
        for source in sources.values()
        for stream in source.streams
        for manifest in landing.batches(source.name, stream)
        if (source.name, stream, manifest.batch_id) not in known
    ]


def load_pending(
    con: duckdb.DuckDBPyConnection,
    sources: dict[str, Source],
    landing: Landing,
    now: datetime,
    report: Callable[[Loaded], None],
) -> list[Loaded]:
    """Load everything that has landed and is not yet loaded; `report` is called after each batch."""
    outcomes = []
    for manifest in pending(con, sources, landing):
        outcome = load_batch(con, sources[manifest.source], landing, manifest, now)
        outcomes.append(outcome)
        report(outcome)
    return outcomes


def ensure_raw_tables(con: duckdb.DuckDBPyConnection, sources: dict[str, Source]) -> list[str]:
    """Give every promised stream its raw tables, so that models on a source that is off stay empty, not broken.

    A stream whose contract has other columns or types than its table is emptied together with its ledger
    lines; the next load rebuilds it from landing. Returns the names of those streams.
    """
    rebuilt = []
    existing = _columns(con)
    for source in sources.values():
        con.execute(f"create schema if not exists {source.raw_schema}")
        for name, stream in source.streams.items():
            promised = [(column, _engine_type(spec.type)) for column, spec in stream.columns.items()]
            found = existing.get((source.raw_schema, name), [])
            if found == promised:
                continue
            con.execute("begin")
            columns = ", ".join(f"{quoted(column)} {spec.type}" for column, spec in stream.columns.items())
            for table in (raw_table(source, name), history_table(source, name)):
                con.execute(f"create or replace table {table} ({columns}, {_TECHNICAL})")
            if found:
                _forget(con, source, name)
                rebuilt.append(f"{source.name}.{name}")
            con.execute("commit")
    return rebuilt


def _columns(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Names and types of the promised columns of every table, by schema and table."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for schema, table, column, kind in con.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns()"
        " where not internal order by table_oid, column_index"
    ).fetchall():
        if column not in TECHNICAL_COLUMNS:
            found.setdefault((schema, table), []).append((column, kind))
    return found


def _engine_type(promised: str) -> str:
    """The contract's type as DuckDB spells it."""
    names = {"text": "VARCHAR", "timestamptz": "TIMESTAMP WITH TIME ZONE"}
    return names.get(promised, promised.upper().replace(", ", ","))


def _forget(con: duckdb.DuckDBPyConnection, source: Source, stream: str) -> None:
    """Take a stream's lines out of the ledger, so that its batches count as not loaded."""
    for table in ("batch", "watermark", "control_total", "quarantine"):
        con.execute(f"delete from ops.{table} where source = ? and stream = ?", [source.name, stream])


def raw_table(source: Source, stream: str) -> str:
    return f"{source.raw_schema}.{quoted(stream)}"


def history_table(source: Source, stream: str) -> str:
    return f"{source.raw_schema}.{quoted(stream + '__history')}"


def load_batch(
    con: duckdb.DuckDBPyConnection, source: Source, landing: Landing, manifest: Manifest, now: datetime
) -> Loaded:
    """Load one batch in one transaction; loading it again changes nothing."""
    newer = con.execute(
        "select count(*) from ops.batch where source = ? and stream = ? and batch_id > ?",
        [source.name, manifest.stream, manifest.batch_id],
    ).fetchone()
    con.execute("begin")
    try:
        if newer and newer[0]:
            loaded = _rebuild(con, source, landing, manifest, now)
        else:
            loaded = _apply(con, source, landing.data_file(manifest), manifest, now)
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return loaded


def _rebuild(
    con: duckdb.DuckDBPyConnection, source: Source, landing: Landing, late: Manifest, now: datetime
) -> Loaded:
    """Forget a stream and load its batches again in order, `late` among them; inside the caller's transaction."""
    name = late.stream
    known = {
        row[0]
        for row in con.execute(
            "select batch_id from ops.batch where source = ? and stream = ?", [source.name, name]
        ).fetchall()
    }
    for table in (raw_table(source, name), history_table(source, name)):
        con.execute(f"delete from {table}")
    _forget(con, source, name)
    answer: Loaded | None = None
    for manifest in landing.batches(source.name, name):
        if manifest.batch_id in known or manifest.batch_id == late.batch_id:
            loaded = _apply(con, source, landing.data_file(manifest), manifest, now)
            answer = loaded if manifest.batch_id == late.batch_id else answer
    assert answer is not None
    return answer


def _apply(
    con: duckdb.DuckDBPyConnection, source: Source, data: Path, manifest: Manifest, now: datetime
) -> Loaded:
    name, stream = manifest.stream, source.streams[manifest.stream]
    current, history = raw_table(source, name), history_table(source, name)
    columns = ", ".join(quoted(column) for column in stream.columns)
    key = [quoted(column) for column in stream.key]
    same_key = " and ".join(f"current.{column} = batch.{column}" for column in key)

    _stage(con, source, stream, data, manifest, now)
    counts = con.execute("select count(*), count(fault) from batch_rows").fetchone()
    assert counts is not None
    rows_in, quarantined = counts
    con.execute(
        """
        insert into ops.quarantine
        select $source, $stream, $batch, _origin, _row, record_key, fault.rule, fault.reason, record, $owner, $now
        from batch_rows where fault is not null
        """,
        {
            "source": source.name,
            "stream": name,
            "batch": manifest.batch_id,
            "owner": stream.owner or source.owner,
            "now": now,
        },
    )
    con.execute(
        f"""
        create or replace temp table batch_changes as
        select {", ".join(f"batch.{quoted(c)}" for c in stream.columns)},
            {literal(manifest.batch_id)} as _batch_id, {literal(now.isoformat())}::timestamptz as _loaded_at,
            batch._hash, batch._origin, batch._row, false as _is_deleted
        from batch_rows as batch
        left join {current} as current on {same_key}
        where batch.fault is null
            and (current._hash is null or current._is_deleted or current._hash <> batch._hash)
        """
    )
    loaded = _count(con, "batch_changes")
    scope = "true" if manifest.scope == WHOLE_TABLE else f"current._origin = {literal(manifest.origin)}"
    # A quarantined row is still there in the source: its key is not deleted, its last good version stays.
    con.execute(
        f"""
        insert into batch_changes
        select {", ".join(f"current.{quoted(c)}" for c in stream.columns)},
            {literal(manifest.batch_id)}, {literal(now.isoformat())}::timestamptz,
            current._hash, current._origin, current._row, true
        from {current} as current
        where not current._is_deleted and {scope}
            and not exists (select 1 from batch_rows as batch where {same_key})
        """
    )
    deleted = _count(con, "batch_changes") - loaded
    technical = "_batch_id, _loaded_at, _hash, _origin, _row, _is_deleted"
    con.execute(
        f"insert into {history} ({columns}, {technical}) select {columns}, {technical} from batch_changes"
    )
    same = " and ".join(f"current.{column} = change.{column}" for column in key)
    con.execute(f"delete from {current} as current using batch_changes as change where {same}")
    con.execute(
        f"insert into {current} ({columns}, {technical}) select {columns}, {technical} from batch_changes"
    )
    outcome = Loaded(
        source.name,
        name,
        manifest.batch_id,
        rows_in,
        loaded,
        rows_in - quarantined - loaded,
        quarantined,
        deleted,
    )
    _record(con, source, stream, manifest, outcome, now)
    con.execute("drop table batch_rows; drop table batch_changes")
    return outcome


def _stage(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    stream: Stream,
    data: Path,
    manifest: Manifest,
    now: datetime,
) -> None:
    """Temp table `batch_rows`: typed columns, `_hash`, `_origin`, `_row`, `record_key`, `record`, `fault`."""
    present = {
        row[0] for row in con.execute(f"describe select * from read_parquet({literal(str(data))})").fetchall()
    }
    # A batch landed under an older contract may lack a column that was promised later: it reads as missing.
    raw = {
        column: quoted(stream.source_column(column)) if stream.source_column(column) in present else "null"
        for column in stream.columns
    }
    row_number = "_row" if "_row" in present else "file_row_number + 1"
    typed = ",\n".join(
        f"try_cast({raw[c]} as {spec.type}) as {quoted(c)}" for c, spec in stream.columns.items()
    )
    text = ",\n".join(f"cast({raw[c]} as text) as {quoted('said ' + c)}" for c in stream.columns)
    names = ", ".join(quoted(column) for column in stream.columns)
    record = ", ".join(f"{literal(c)}: {quoted('said ' + c)}" for c in stream.columns)
    key = " || '|' || ".join(f"coalesce({quoted('said ' + c)}, '')" for c in stream.key)
    faults = [fault for c, spec in stream.columns.items() for fault in _faults(c, spec, now)]
    first_fault = f"coalesce({', '.join(faults)})" if faults else "null"
    partition = ", ".join(quoted(column) for column in stream.key)
    con.execute(
        f"""
        create or replace temp table batch_rows as
        with received as (
            select {typed}, {text}, {row_number} as _row
            from read_parquet({literal(str(data))}, file_row_number = {"false" if "_row" in present else "true"})
        ),
        judged as (
            select *, hash({names}) as _hash, {first_fault} as own_fault from received
        ),
        compared as (
            select *,
                count(*) over same_key as times,
                count(distinct _hash) over same_key as contents,
                row_number() over (partition by own_fault is null, {partition} order by _row) as place
            from judged
            window same_key as (partition by own_fault is null, {partition})
        )
        select {names}, _hash, {literal(manifest.origin)} as _origin, _row,
            {key} as record_key,
            cast(to_json({{{record}}}) as text) as record,
            case
                when own_fault is not null then own_fault
                when times > 1 and contents > 1 then {{
                    'rule': 'key',
                    'reason': 'the key ' || {key} || ' was sent ' || times || ' times with different values'
                }}
                when place > 1 then {{
                    'rule': 'duplicate', 'reason': 'the same row was sent ' || times || ' times; one was kept'
                }}
            end as fault
        from compared
        """
    )


def _faults(column: str, spec: Column, now: datetime) -> list[str]:
    """SQL expressions, one per rule: a struct {rule, reason} where the row breaks it, else null."""
    value, said = quoted(column), quoted(f"said {column}")

    def fault(rule: str, condition: str, reason: str) -> str:
        text = f"{literal(f'{column} = ')} || coalesce({said}, 'missing') || {literal(f': {reason}')}"
        return f"case when {condition} then {{'rule': {literal(rule)}, 'reason': {text}}} end"

    rules = []
    if spec.type != "text":
        rules.append(fault("type", f"{value} is null and {said} is not null", f"is not {spec.type}"))
    if spec.required:
        rules.append(fault("required", f"{value} is null", "is required"))
    if spec.min is not None:
        rules.append(fault("min", f"{value} < {spec.min}", f"is below {spec.min:g}"))
    if spec.max is not None:
        rules.append(fault("max", f"{value} > {spec.max}", f"is above {spec.max:g}"))
    if spec.values is not None:
        allowed = ", ".join(literal(str(item)) for item in spec.values)
        listed = ", ".join(str(item) for item in spec.values)
        rules.append(fault("values", f"cast({value} as text) not in ({allowed})", f"is not one of {listed}"))
    if spec.pattern is not None:
        matches = f"regexp_full_match({value}, {literal(spec.pattern)})"
        rules.append(fault("pattern", f"not {matches}", f"does not look like {spec.pattern}"))
    if spec.not_future:
        # Instants are compared exactly; a day may be ahead of UTC by the company's zone, never by two.
        limit = f"{literal(now.isoformat())}::timestamptz"
        late = (
            f"{value} > ({limit})::date + 1" if spec.type == "date" else f"{value} > {limit} + interval 1 day"
        )
        rules.append(fault("not_future", late, "lies in the future"))
    return rules


def _record(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    stream: Stream,
    manifest: Manifest,
    outcome: Loaded,
    now: datetime,
) -> None:
    """The batch's lines in the ledger: itself, its watermark, its control totals."""
    con.execute(
        "insert into ops.batch values (?, ?, ?, ?, ?, ?::timestamptz, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            source.name,
            manifest.stream,
            manifest.batch_id,
            manifest.scope,
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
        ],
    )
    con.execute(
        "insert or replace into ops.watermark values (?, ?, ?::timestamptz, ?)",
        [source.name, manifest.stream, manifest.extracted_at, manifest.batch_id],
    )
    for measure, said in manifest.control.items():
        expression = "count(*)" if measure == "rows" else f"sum({quoted(measure.removeprefix('sum_'))})"
        con.execute(
            f"""
            insert into ops.control_total
            select $source, $stream, $batch, $origin, $measure, $said,
                cast({expression} as text),
                cast({expression} filter (fault is null) as text),
                cast({expression} filter (fault is not null) as text),
                abs(try_cast($said as decimal(38, 6)) - cast({expression} as decimal(38, 6))) < 0.000001
            from batch_rows
            """,
            {
                "source": source.name,
                "stream": manifest.stream,
                "batch": manifest.batch_id,
                "origin": manifest.origin,
                "measure": measure,
                "said": said,
            },
        )


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = con.execute(f"select count(*) from {table}").fetchone()
    assert row is not None
    return row[0]
