"""The control tables (schema `ops`): what ran, what came in, what was set aside, what was checked.

One home for their shape. They live in the warehouse file, so they change in the same transaction as the
rows they speak of.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

TABLES = {
    "run": """
        run_id text primary key, started_at timestamptz not null, finished_at timestamptz,
        state text not null, fingerprint text, message text""",
    "batch": """
        source text not null, stream text not null, batch_id text not null, scope text not null,
        origin text not null, extracted_at timestamptz not null, loaded_at timestamptz not null,
        rows_in bigint not null, rows_loaded bigint not null, rows_unchanged bigint not null,
        rows_quarantined bigint not null, rows_deleted bigint not null,
        bytes bigint not null, content_hash text not null, contract_version text not null,
        primary key (source, stream, batch_id)""",
    "watermark": """
        source text not null, stream text not null, complete_to timestamptz not null,
        batch_id text not null, primary key (source, stream)""",
    "control_total": """
        source text not null, stream text not null, batch_id text not null, origin text not null,
        measure text not null, source_says text not null, landed text, loaded text, quarantined text,
        agrees boolean not null""",
    "quarantine": """
        source text not null, stream text not null, batch_id text not null, origin text not null,
        row_number bigint, record_key text, rule text not null, reason text not null,
        record text not null, owner text not null, quarantined_at timestamptz not null""",
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
    "certificate": """
        publish_id text primary key, run_id text not null, certified boolean not null, reasons text not null,
        business_cut_off date, loaded_to timestamptz, watermarks text not null, strong_checks bigint,
        strong_failed bigint, weak_failed bigint, identities bigint, identities_broken bigint,
        rows_quarantined bigint, definition_version text, issued_at timestamptz not null""",
    "publish": """
        publish_id text primary key, run_id text not null, fingerprint text not null, content_hash text not null,
        tables bigint not null, rows bigint not null, snapshot text not null, door text not null,
        published_at timestamptz not null""",
}


def ensure_ledger(con: duckdb.DuckDBPyConnection) -> None:
    """Create the control tables that are not there yet."""
    con.execute("create schema if not exists ops")
    for name, columns in TABLES.items():
        con.execute(f"create table if not exists ops.{name} ({columns})")


def advance_watermarks(
    con: duckdb.DuckDBPyConnection, seen: Iterable[tuple[str, str]], now: datetime
) -> None:
    """Streams that were pulled to their end at `now` are complete up to `now`, whether or not anything was new.

    Args:
        seen: (source, stream) of every pull that did not fail.
    """
    for source, stream in seen:
        con.execute(
            "update ops.watermark set complete_to = greatest(complete_to, ?) where source = ? and stream = ?",
            [now, source, stream],
        )
