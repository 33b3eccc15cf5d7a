"""Suites on a toy warehouse: a fault is found, its rows are named, and what cannot be computed never passes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import yaml

from expectations import suite as suites
from tieout.ingest.ledger import ensure_ledger

TEXT = {"zh": "检查", "en": "Check"}


def check(check_id: str, kind: str, severity: str = "critical", **kwargs: object) -> dict:
    return {
        "type": kind,
        "kwargs": kwargs,
        "severity": severity,
        "description": TEXT,
        "meta": {"id": check_id},
    }


def rows_of(check_id: str, sql: str, severity: str = "critical") -> dict:
    return check(check_id, "unexpected_rows_expectation", severity, unexpected_rows_query=sql)


LINES = [
    check("unique", "expect_column_values_to_be_unique", column="line_key"),
    check("unique_pair", "expect_compound_columns_to_be_unique", column_list=["order_no", "line_no"]),
    check("filled", "expect_column_values_to_not_be_null", column="order_no"),
    check("currency", "expect_column_values_to_be_in_set", column="currency_code", value_set=["CNY", "USD"]),
    check("matched", "expect_column_values_to_not_be_in_set", "warning",
          column="customer_key", value_set=["unmatched"], mostly=0.5),
    check("amount", "expect_column_values_to_be_between", column="amount", min_value=0),
    check("dated", "expect_column_values_to_be_between", column="day", min_value="2025-01-01", max_value="2025-12-31"),
    check("sum", "expect_column_sum_to_be_between", column="amount", min_value=60, max_value=60),
    check("count", "expect_table_row_count_to_be_between", min_value=1),
    rows_of("paid_late", "select line_key from {batch} as line where paid < day", "warning"),
    rows_of("orphan", "select line_key from {batch} as line left join marts.dim_customer as c"
                      " on line.customer_key = c.customer_key where c.customer_key is null"),
]  # fmt: skip
GOOD = """
create schema marts;
create table marts.dim_customer as select 'c1' as customer_key union all select 'unmatched';
create table marts.fct_line as
select 'k' || n as line_key, 'O' || (n % 2) as order_no, n as line_no, 'CNY' as currency_code, 'c1' as customer_key,
    cast(n * 10 as decimal(18, 4)) as amount, date '2025-11-01' as day, date '2025-11-02' as paid,
    'sales' as source_system, 'line' as source_stream, cast(n as text) as source_record
from range(1, 4) as numbers (n);
"""


def run(folder: Path, change: str = "", expectations: list[dict] | None = None, table: str = "fct_line"):
    """Results by check id for the toy warehouse after `change`."""
    warehouse = folder / "warehouse.duckdb"
    warehouse.unlink(missing_ok=True)
    with duckdb.connect(str(warehouse)) as con:
        con.execute(GOOD + change)
    file = folder / "suites" / "marts" / f"{table}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    suite = {"owner": "sales", "key": ["line_key"], "expectations": expectations or LINES}
    file.write_text(yaml.safe_dump(suite, allow_unicode=True), "utf-8")
    return {result.check_id: result for result in suites.run_suites(warehouse, folder / "suites")}


def test_good_books_pass_every_check(tmp_path):
    results = run(tmp_path)

    assert [result.status for result in results.values()] == ["passed"] * len(LINES)
    assert list(results) == [line["meta"]["id"] for line in LINES]


@pytest.mark.parametrize(
    ("check_id", "fault", "count", "rows"),
    [
        ("unique", "update marts.fct_line set line_key = 'k1' where line_no = 2", 2, ["1", "2"]),
        ("unique_pair", "update marts.fct_line set line_no = 1 where line_no = 3", 2, ["1", "3"]),
        ("filled", "update marts.fct_line set order_no = null where line_no = 2", 1, ["2"]),
        ("currency", "update marts.fct_line set currency_code = 'RMB' where line_no = 2", 1, ["2"]),
        ("matched", "update marts.fct_line set customer_key = 'unmatched' where line_no <> 2", 2, ["1", "3"]),
        ("amount", "update marts.fct_line set amount = -0.01 where line_no = 3", 1, ["3"]),
        ("dated", "update marts.fct_line set day = date '2026-01-01' where line_no = 3", 1, ["3"]),
    ],
)
def test_a_fault_is_counted_and_its_rows_are_named(tmp_path, check_id, fault, count, rows):
    found = run(tmp_path, fault)[check_id]

    assert (found.status, found.unexpected_count) == ("failed", count)
    assert [row["source_record"] for row in found.rows] == rows
    assert {"line_key", "source_system", "source_stream"} <= set(found.rows[0])


def test_a_deleted_line_is_seen_in_the_sum_and_the_sum_is_shown(tmp_path):
    results = run(tmp_path, "delete from marts.fct_line where line_no = 2")

    failed = {name for name, result in results.items() if result.status != "passed"}
    assert failed == {"sum"}
    assert float(results["sum"].observed) == 40


def test_an_empty_table_fails_the_count_only(tmp_path):
    results = run(tmp_path, "delete from marts.fct_line")

    assert results["count"].status == "failed"
    assert results["sum"].status != "passed"


def test_a_query_for_unexpected_rows_names_what_it_selects_and_warns_without_blocking(tmp_path):
    found = run(tmp_path, "update marts.fct_line set paid = date '2025-10-01' where line_no = 2")["paid_late"]

    assert (found.status, found.unexpected_count, found.blocks) == ("failed", 1, False)
    assert found.rows == ({"line_key": "k2"},)


def test_a_row_without_its_dimension_is_found_across_tables(tmp_path):
    found = run(tmp_path, "update marts.fct_line set customer_key = 'c9' where line_no = 2")["orphan"]

    assert (found.status, found.unexpected_count, found.blocks) == ("failed", 1, True)


def test_what_cannot_be_computed_is_an_error_that_blocks_even_as_a_warning(tmp_path):
    results = run(
        tmp_path,
        expectations=[
            rows_of("broken_sql", "select nonsense from {batch} as line", "warning"),
            check("no_column", "expect_column_values_to_not_be_null", "warning", column="nosuch"),
            check("no_column_unique", "expect_column_values_to_be_unique", "warning", column="nosuch"),
            check("wrong_type", "expect_column_sum_to_be_between", "warning", column="order_no", min_value=0),
            check("still_run", "expect_column_values_to_not_be_null", column="order_no"),
        ],
    )

    assert {name: result.status for name, result in results.items()} == {
        "broken_sql": "error", "no_column": "error", "no_column_unique": "error", "wrong_type": "error",
        "still_run": "passed",
    }  # fmt: skip
    assert all(result.blocks for name, result in results.items() if name != "still_run")
    assert "nonsense" in results["broken_sql"].observed
    assert "nosuch" in results["no_column"].observed


def test_a_missing_table_is_an_error_for_each_of_its_checks(tmp_path):
    results = run(tmp_path, table="fct_gone")

    assert {result.status for result in results.values()} == {"error"}


def test_no_suites_is_a_failure(tmp_path):
    (tmp_path / "suites").mkdir()
    with pytest.raises(suites.SuiteError, match="No suite"):
        suites.read_suites(tmp_path / "suites")


def test_a_query_that_forgets_its_own_table_is_refused(tmp_path):
    with pytest.raises(suites.SuiteError, match="reads the table as"):
        run(tmp_path, expectations=[rows_of("elsewhere", "select line_key from {batch}")])


def test_types_and_arguments_nobody_knows_are_refused_before_anything_runs(tmp_path):
    with pytest.raises(suites.SuiteError, match=r"fct_line: typo has the unknown type expect_colum_"):
        run(tmp_path, expectations=[check("typo", "expect_colum_values_to_be_unique", column="line_key")])
    with pytest.raises(suites.SuiteError, match="typo has arguments"):
        run(tmp_path, expectations=[check("typo", "expect_column_values_to_be_unique", colum="line_key")])


def test_the_warehouse_is_only_read_and_free_afterwards(tmp_path):
    before = run(tmp_path)
    with duckdb.connect(
        str(tmp_path / "warehouse.duckdb")
    ) as con:  # a writer; a lock left behind would refuse it
        ensure_ledger(con)
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        suites.record(con, "r1", list(before.values()), moment)
        suites.record(con, "r1", list(before.values()), moment)
        assert con.execute("select count(*), count(distinct check_id) from ops.check_result").fetchone() == (
            len(LINES),
            len(LINES),
        )


def test_a_warehouse_that_is_being_written_says_so(tmp_path):
    run(tmp_path)
    with (
        duckdb.connect(str(tmp_path / "warehouse.duckdb")),
        pytest.raises(suites.SuiteError, match="Close the connection that writes"),
    ):
        suites.run_suites(tmp_path / "warehouse.duckdb", tmp_path / "suites")


def test_progress_is_told_per_suite(tmp_path):
    run(tmp_path)
    told = []
    suites.run_suites(tmp_path / "warehouse.duckdb", tmp_path / "suites", lambda *args: told.append(args))
    assert told == [("marts.fct_line", 1, 1)]
