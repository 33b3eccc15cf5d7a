"""What a failed test of dbt says: why it is there, and which documents and source rows it does not hold for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tieout.engine import connect
from tieout.settings import Settings
from tieout.transform.dbt import Node, _failure, target
from tieout.transform.violations import fact_row, reason, told, violating

TEST = "test.tieout.assert_counted"
SQL = """-- What counts must be in CNY:
-- without a rate it would be missing.
select 'fct_sale' as table_name, sale_key as row_key
from marts.fct_sale where amount_cny is null order by 2 -- the last line is a comment"""


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Eight sales, seven of them without an amount, and the compiled SQL of one test."""
    settings = Settings(home=tmp_path)
    with connect(settings.warehouse) as con:
        con.execute(
            """create schema marts; create table marts.fct_sale as
            select 'K' || i as sale_key, 'XS' || i as order_no, '王' as customer_name, if(i = 0, 1, null) as amount_cny,
                'erp' as source_system, 'line' as source_stream, i::text as source_record
            from range(8) as r(i)"""
        )
    folder = target(settings) / "compiled" / "tieout" / "tests"
    folder.mkdir(parents=True)
    (folder / "assert_counted.sql").write_text(SQL, "utf-8")
    return settings


def test_the_rows_of_a_failed_test_are_named_by_document_and_source_row(home):
    compiled = target(home) / "compiled"
    with connect(home.warehouse) as con:
        rows = violating(con, compiled, TEST)
        assert [row["row_key"] for row in rows] == [f"K{place}" for place in range(1, 8)]
        assert told(con, rows[0]) == "fct_sale · order_no XS1 · erp/line/1"
        assert fact_row(con, {"table_name": "fct_gone", "row_key": "K1"}) is None
        assert told(con, {"n_records": 3}) == "", "a count names no row"
        assert violating(con, compiled, "test.tieout.never_compiled") == []
    assert reason(compiled, TEST) == "What counts must be in CNY: without a rate it would be missing."
    assert reason(compiled, "test.tieout.never_compiled") == ""


def test_a_failed_test_says_why_and_the_first_rows_and_nobodys_name(home):
    said = _failure(home, Node(TEST, "test", "fail", 0.1, "Got 7 results, configured to fail if != 0"))

    assert said == [
        f"  {TEST}: Got 7 results, configured to fail if != 0",
        "    What counts must be in CNY: without a rate it would be missing.",
        *(f"    fct_sale · order_no XS{place} · erp/line/{place}" for place in range(1, 6)),
        "    … and others",
    ]


def test_a_model_that_does_not_build_says_what_dbt_says(home):
    node = Node("model.tieout.fct_sale", "model", "error", 0.1, "Binder Error: no column x\nLINE 1: …")

    assert _failure(home, node) == ["  model.tieout.fct_sale: Binder Error: no column x"]
