"""The dictionary of the sample group: three departments say 销售额, and the facts keep their measures' types."""

from __future__ import annotations

import csv
import io

from tieout.engine import connect

SALES = {"sales_order_amount_net", "sales_shipped_amount_net", "revenue_amount_net"}


def test_one_word_of_three_departments_has_three_meanings(group):
    rows = list(csv.DictReader(io.StringIO(group.run("dictionary", "销售额", "--csv").stdout)))

    assert {row["metric"] for row in rows} >= SALES
    assert {row["department"] for row in rows if row["metric"] in SALES} == {"销售部", "仓库", "财务部"}


def test_an_unknown_word_is_an_error_with_its_neighbours(group):
    done = group.run("dictionary", "销售客", code=3)

    assert "unknown word '销售客'" in done.stderr
    assert "销售" in done.stderr.partition("Did you mean")[2]


def test_how_far_two_meanings_lie_apart_is_what_the_marts_say(group):
    rows = csv.DictReader(io.StringIO(group.run("dictionary", "--contradictions", "--csv").stdout))
    (found,) = [
        row for row in rows if (row["one"], row["other"]) == ("revenue_amount_net", "sales_order_amount_net")
    ]
    year = int(found["closed_year"])

    # straight from the facts, without the compiler
    earned = group.value(
        "select sum(revenue_amount_cny) from marts.fct_ledger_entry_line"
        " where is_posted and is_revenue and year(entry_date) = ?",
        year,
    )
    booked = group.value(
        "select sum(order_amount_net_cny) from marts.fct_sales_order_line where is_booked and year(order_date) = ?",
        year,
    )
    assert found["kind"] == "same_word"
    assert float(found["difference"]) == float(booked - earned) != 0


def test_every_fact_that_is_measured_was_asked_and_keeps_its_types(group):
    rows = group.rows(
        "select table_name, check_id, status, severity from ops.check_result where check_id like 'typed%'"
        " and run_id = (select run_id from ops.publish order by published_at desc limit 1)"
    )

    asked = {table for table, *_ in rows}
    assert asked >= {"fct_sales_order_line", "fct_delivery_line", "fct_stock_balance_day", "fct_work_order"}
    assert {status for *_, status, _ in rows} == {"passed"}
    assert {severity for *_, severity in rows} == {"critical"}


def test_the_published_file_holds_words_and_the_page_lies_beside_the_board(group):
    with connect(group.home / "snapshots" / "current.duckdb", read_only=True) as con:
        spoken = con.execute("select metric_name from metrics.metric_word where word = 'GMV'").fetchall()
    page = (group.home / "pages" / "dictionary.html").read_text("utf-8")

    assert spoken == [("sales_order_amount_net",)]
    assert 'href="dictionary.html"' in (group.home / "pages" / "index.html").read_text("utf-8")
    assert page.count("<article") == group.value("select count(*) from metrics.metric_catalog")
