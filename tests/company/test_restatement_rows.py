"""The restatement ledger on the published rows of the whole group: rows of its marts are changed as a second publish
would have them, all numbers are computed again by their compiled SQL, and the ledger must account for every cent.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from sources.contract import read_sources
from tests.company.conftest import Group
from tieout.engine import connect, literal, quoted
from tieout.metrics.definitions import parse
from tieout.metrics.layer import values_insert
from tieout.metrics.restate import Recorded, record

pytestmark = [pytest.mark.company, pytest.mark.nightly]

SECOND = "P20990101T000000-second"
METRIC = "sales_order_amount_net"
FACT = "marts.fct_sales_order_line"
Amounts = dict[tuple[str, str], Decimal]  # month, cause


@dataclass(frozen=True)
class Second:
    """The warehouse with both publishes in its ledger, and what the causes of one metric should amount to."""

    con: duckdb.DuckDBPyConnection
    recorded: Recorded
    total: Amounts
    # The customer that lost its key, the one that has it now, and the month's amounts that went over.
    lost: str
    kept: str
    moved: dict[str, Decimal]
    keys: dict[tuple[str, str], tuple[str, ...]]
    folder: Path


@pytest.fixture(scope="module")
def second(group: Group, tmp_path_factory) -> Second:
    folder = tmp_path_factory.mktemp("second")
    shutil.copyfile(group.home / "warehouse.duckdb", folder / "warehouse.duckdb")
    keys = {
        (source.name, name): stream.key
        for source in read_sources(group.settings.sources).values()
        for name, stream in source.streams.items()
    }
    con = connect(folder / "warehouse.duckdb")
    (first,) = con.execute("select publish_id from ops.publish order by published_at desc limit 1").fetchone()
    for publish in (first, SECOND):
        shutil.copyfile(group.home / "snapshots" / "current.duckdb", folder / f"tieout-{publish}.duckdb")
        (folder / f"tieout-{publish}.duckdb").chmod(0o600)
    record(con, folder, first, keys=keys)
    con.execute(f"attach {literal(str(folder / f'tieout-{SECOND}.duckdb'))} as second")
    total, lost, kept, moved = _changed(con, keys)
    con.execute("detach second")
    with connect(folder / f"tieout-{SECOND}.duckdb") as snapshot:
        _computed_again(snapshot)
    con.execute(
        "insert into ops.publish select * replace (? as publish_id, ? as published_at) from ops.publish"
        " where publish_id = ?",
        [SECOND, datetime(2099, 1, 1, tzinfo=UTC), first],
    )
    con.execute(
        "insert into ops.certificate select * replace (? as publish_id) from ops.certificate where publish_id = ?",
        [SECOND, first],
    )
    return Second(con, record(con, folder, SECOND, keys=keys), total, lost, kept, moved, keys, folder)


def _changed(
    con: duckdb.DuckDBPyConnection, keys: dict[tuple[str, str], tuple[str, ...]]
) -> tuple[Amounts, str, str, dict[str, Decimal]]:
    """Change rows of the second publish and of the raw history under them."""
    total: Amounts = defaultdict(Decimal)
    lines = con.execute(
        f"select source_system, source_stream, source_record, order_date, order_amount_net_cny, customer_key"
        f" from second.{FACT} where is_booked and order_date < date '2026-01-01' and order_amount_net_cny > 0"
        " order by source_system, source_stream, source_record"
    ).fetchall()
    lines = [line for line in lines if len(keys[line[0], line[1]]) == 1]
    step = len(lines) // 12
    edited, deleted = lines[0 : 4 * step : step], lines[5 * step : 9 * step : step]
    copied = lines[10 * step]
    for place, (system, stream, key, day, amount, _) in enumerate(edited, start=1):
        _set(con, key, system, stream, f"order_amount_net_cny = {amount + place}")
        _version(con, keys, system, stream, key, gone=False)
        total[f"{day:%Y-%m}", "source_edit"] += place
    for system, stream, key, day, amount, _ in deleted:
        con.execute(f"delete from second.{FACT} where {_is(key, system, stream)}")
        _version(con, keys, system, stream, key, gone=True)
        total[f"{day:%Y-%m}", "deletion"] -= amount
    system, stream, key, day, amount, _ = copied
    con.execute(
        f"insert into second.{FACT} select * replace ('99000001' as source_record) from second.{FACT}"
        f" where {_is(key, system, stream)}"
    )
    _version(con, keys, system, stream, key, gone=False, new="99000001")
    total[f"{day:%Y-%m}", "late_row"] += amount
    for source, stream in {(line[0], line[1]) for line in (*edited, *deleted, copied)}:
        con.execute(
            f"insert into ops.batch by name select * replace ('~second' as batch_id, 1 as rows_loaded) from ops.batch"
            f" where source = {literal(source)} and stream = {literal(stream)} limit 1"
        )
    # Two customers become one: every fact's rows change hands, and no amount does.
    touched = {line[5] for line in (*edited, *deleted, copied)}
    (lost,), (kept,) = con.execute(
        f"select customer_key from second.{FACT} where is_booked and customer_key not in"
        f" ({', '.join(map(literal, touched))}) and starts_with(customer_key, 'C-')"
        " group by 1 order by count(*) desc, 1 limit 2"
    ).fetchall()
    moved: dict[str, Decimal] = defaultdict(Decimal)
    for day, amount in con.execute(
        f"select order_date, order_amount_net_cny from second.{FACT} where is_booked and customer_key = {literal(lost)}"
    ).fetchall():
        moved[f"{day:%Y-%m}"] += amount
    for (table,) in con.execute(
        "select table_name from duckdb_columns() where database_name = 'second' and schema_name = 'marts'"
        " and column_name = 'customer_key' and starts_with(table_name, 'fct_')"
    ).fetchall():
        con.execute(
            f"update second.marts.{table} set customer_key = {literal(kept)} where customer_key = {literal(lost)}"
        )
    con.execute(
        f"update master.crosswalk set master_key = {literal(kept)} where master_key = {literal(lost)}"
    )
    codes = dict(
        con.execute(
            f"select customer_key, customer_code from second.marts.dim_customer where customer_key in"
            f" ({literal(lost)}, {literal(kept)})"
        ).fetchall()
    )
    return dict(total), codes[lost], codes[kept], dict(moved)


def _is(key: str, system: str, stream: str) -> str:
    return f"source_record = {literal(key)} and source_system = {literal(system)} and source_stream = {literal(stream)}"


def _set(con: duckdb.DuckDBPyConnection, key: str, system: str, stream: str, change: str) -> None:
    con.execute(f"update second.{FACT} set {change} where {_is(key, system, stream)}")


def _version(
    con: duckdb.DuckDBPyConnection,
    keys: dict[tuple[str, str], tuple[str, ...]],
    system: str,
    stream: str,
    key: str,
    *,
    gone: bool,
    new: str | None = None,
) -> None:
    """A new version of a raw row, or a row like it under another key."""
    history = f"raw_{system}.{quoted(stream + '__history')}"
    (column,) = keys[system, stream]
    same = f"cast({quoted(column)} as text) = {literal(key)} and _is_current"
    other = f", {literal(new)} as {quoted(column)}" if new else ""
    con.execute(
        f"create or replace temp table version as select * replace ('~second' as _batch_id,"
        f" timestamptz '2099-01-01' as _loaded_at, _hash + {0 if gone else 1} as _hash, {gone} as _is_deleted{other})"
        f" from {history} where {same}"
    )
    if not new:
        con.execute(f"update {history} set _is_current = false where {same}")
    con.execute(f"insert into {history} by name from version")


def _computed_again(snapshot: duckdb.DuckDBPyConnection) -> None:
    """Every number of the snapshot by its compiled SQL."""
    (text,) = snapshot.execute("select content from metrics.semantic_manifest").fetchone()
    definitions = parse(text)
    snapshot.execute("delete from metrics.metric_values where time_grain in ('month', 'all')")
    for name, grain, names, sql in snapshot.execute(
        "select metric_name, time_grain, dim_set, sql from metrics.compiled_query"
        " where has_values and time_grain in ('month', 'all')"
    ).fetchall():
        split = () if names == "all" else tuple(names.split(","))
        snapshot.execute(
            values_insert(definitions.metric(name), split, None if grain == "all" else grain, sql)
        )


def test_each_cause_of_the_total_is_what_was_done(second):
    found = {
        (f"{month:%Y-%m}", cause): amount
        for month, cause, amount in second.con.execute(
            "select period_start, cause, amount from ops.restatement where metric_name = ? and dim_set = 'all'"
            " and time_grain = 'month'",
            [METRIC],
        ).fetchall()
    }
    assert found == second.total


def test_what_changed_hands_left_one_customer_and_came_to_the_other(second):
    for code, sign in ((second.lost, -1), (second.kept, 1)):
        found = {
            f"{month:%Y-%m}": amount
            for month, amount in second.con.execute(
                "select period_start, amount from ops.restatement where metric_name = ? and cause = 'merge_or_split'"
                " and dim_set = 'customer_code' and time_grain = 'month'"
                " and json_extract_string(dims, '$.customer_code') = ?",
                [METRIC, code],
            ).fetchall()
        }
        assert found == {month: sign * amount for month, amount in second.moved.items()}


def test_every_number_of_every_metric_adds_up_without_a_rest(second):
    assert second.recorded.moved > 100
    assert second.recorded.unexplained == 0
    assert second.con.execute(
        "select count(*) from (select 1 from ops.restatement where publish_id = ?"
        " group by metric_name, time_grain, dim_set, period_start, dims"
        " having sum(amount) <> coalesce(any_value(value_after), 0) - coalesce(any_value(value_before), 0))",
        [SECOND],
    ).fetchone() == (0,)


def test_the_ledger_holds_both_publishes(second):
    for column, publish in (("publish_to is null", SECOND), ("publish_from <> ?", None)):
        with connect(
            second.folder / f"tieout-{publish or second.recorded.previous_id}.duckdb", read_only=True
        ) as con:
            values = con.execute(
                "select metric_name, time_grain, dim_set, period_start, dims, value from metrics.metric_values"
                " where time_grain in ('month', 'all') order by all"
            ).fetchall()
        kept = second.con.execute(
            f"select metric_name, time_grain, dim_set, period_start, dims, value from ops.published_number"
            f" where {column} order by all",
            [] if publish else [SECOND],
        ).fetchall()
        assert kept == values
