"""The diff of two sets of definitions on a company small enough to add up by eye."""

from __future__ import annotations

import os
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from tests.warehouse.test_metric_layer import COMPANY, MARTS
from tieout.engine import connect
from tieout.metrics.definitions import read_yaml
from tieout.metrics.diff import METRICS, DiffError, MetricDiff, Movement, Side, compare, side, sql_differs
from tieout.metrics.errors import UnknownName

D = Decimal


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("diff") / "warehouse.duckdb"
    with connect(file) as con:
        con.execute(MARTS)
    return file


def written(folder: Path, text: str) -> Side:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "company.yml").write_text(text, encoding="utf-8")
    return Side(folder.name, folder, read_yaml(folder))


def diffs(tmp_path: Path, warehouse: Path, text: str, *metrics: str) -> dict[str, MetricDiff]:
    old, new = written(tmp_path / "old", COMPANY), written(tmp_path / "new", text)
    return {item.metric: item for item in compare(old, new, (warehouse, warehouse), metrics=metrics)}


def test_nothing_differs_nothing_is_computed(tmp_path, warehouse):
    prose = COMPANY.replace("Goods shipped.", "Goods that left the warehouse.")
    assert diffs(tmp_path, warehouse, prose) == {}


def test_what_is_computed_from_a_changed_metric_moves_with_it(tmp_path, warehouse):
    """Without its condition the measure adds order 8 (no amount in CNY) and 9 (likewise): by amount_txn they count."""
    other = COMPANY.replace("case when is_booked then amount_cny end", "amount_txn")
    found = diffs(tmp_path, warehouse, other)
    assert set(found) == {
        "order_amount_net", "order_amount_balance", "backlog_amount_net", "ship_to_order_ratio"
    }  # fmt: skip
    total = {
        (item.period, item.before, item.after)
        for item in found["order_amount_net"].movements
        if item.dim_set == "all"
    }
    # January: 70.05 CNY is 10.00 USD. February: order 9, 8.00 USD. Order 8 has no date.
    assert total == {
        ("2026-01", D("170.15"), D("110.10")),
        ("2026-02", D("13.32"), D("21.32")),
        ("without a date", None, D("9.00")),
        ("all", D("183.47"), D("140.42")),
    }
    assert (
        found["order_amount_net"].kinds == "formula, filter"
        or found["order_amount_net"].kinds == "filter, formula"
    )
    assert found["backlog_amount_net"].kinds == "input"
    assert found["order_amount_net"].touches == ("view sales_monthly", "metric ship_to_order_ratio")


def test_members_that_come_and_go_count_from_zero(tmp_path, warehouse):
    other = COMPANY.replace(
        "case when is_booked then amount_cny end",
        "case when is_booked and currency_code = 'CNY' then amount_cny end",
    )
    found = diffs(tmp_path, warehouse, other, "order_amount_net")["order_amount_net"]
    assert [item for item in found.movements if item.dim_set == "customer_code"] == [
        Movement("customer_code", "2026-01", "C2", D("70.05"), None),
        Movement("customer_code", "all", "C2", D("70.05"), None),
    ]
    assert found.largest == Movement("all", "2026-01", "", D("170.15"), D("100.10"))
    assert found.total == D("-70.05")
    assert "is_booked → is_booked and currency_code = 'CNY'" in found.words


def test_a_new_metric_and_one_that_is_gone(tmp_path, warehouse):
    renamed = COMPANY.replace("name: order_draft_amount_txn", "name: order_pending_amount_txn")
    found = diffs(tmp_path, warehouse, renamed)
    assert {name: (item.status, item.numbers) for name, item in found.items()} == {
        "order_draft_amount_txn": ("removed", 4),
        "order_pending_amount_txn": ("new", 4),
    }
    assert {(i.period, i.member, i.amount) for i in found["order_pending_amount_txn"].movements} == {
        ("without a date", "CNY", D(9)), ("2026-02", "USD", D(8)), ("all", "CNY", D(9)), ("all", "USD", D(8))
    }  # fmt: skip


def test_a_definition_that_does_not_fit_the_marts_is_said_to_be_incomputable(tmp_path, warehouse):
    found = diffs(tmp_path, warehouse, COMPANY.replace("expr: amount_cny}", "expr: amount_gross_cny}"))
    assert "amount_gross_cny" in found["ship_amount_net"].error
    assert found["ship_amount_net"].movements == ()


def test_another_way_to_a_member_moves_the_split_and_not_the_total(tmp_path, warehouse):
    """By currency instead of by key every customer is unknown."""
    other = COMPANY.replace(
        "defaults: {agg_time_dimension: order_date}\n    entities: [{name: customer, type: foreign, expr: customer_key}]",
        "defaults: {agg_time_dimension: order_date}\n    entities: [{name: customer, type: foreign, expr: currency_code}]",
    )
    assert other != COMPANY
    found = diffs(tmp_path, warehouse, other, "order_amount_net")["order_amount_net"]
    assert {item.dim_set for item in found.movements} == {"customer_code"}


def test_other_marts_under_the_same_definitions(tmp_path, warehouse):
    second = tmp_path / "second.duckdb"
    with connect(second) as con:
        con.execute(MARTS)
        con.execute("update marts.fct_shipment set amount_cny = 61.10 where source_record = 'a'")
    both = written(tmp_path / "both", COMPANY)
    found = {item.metric: item for item in compare(both, both, (warehouse, second))}
    assert found["ship_amount_net"].status == "data"
    assert found["ship_amount_net"].largest == Movement("all", "2026-01", "", D("60.10"), D("61.10"))
    assert "order_amount_net" not in found


def test_an_unknown_metric_is_an_error(tmp_path, warehouse):
    with pytest.raises(UnknownName, match="order_amount_net"):
        diffs(tmp_path, warehouse, COMPANY, "order_amount_nett")


def test_a_revision_is_read_from_git_and_other_sql_is_noticed(tmp_path):
    project = tmp_path / "project"
    written(project / METRICS, COMPANY)
    model = project / "dbt_project" / "models" / "marts" / "fct_order.sql"
    model.parent.mkdir()
    model.write_text("select 1")
    who = {f"GIT_{role}_{part}": "t@t" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(project), *command], check=True, env={**os.environ, **who})
    (project / METRICS / "company.yml").write_text(COMPANY.replace("amount_txn end", "amount_cny end"))
    old, new = side(project, "HEAD", tmp_path / "old"), side(project, None, tmp_path / "new")
    assert "amount_txn end" in old.definitions.text
    assert "amount_txn end" not in new.definitions.text
    assert sql_differs(old, new) == []
    model.write_text("select 2")
    assert sql_differs(old, new) == ["dbt_project/models/marts/fct_order.sql"]
    with pytest.raises(DiffError, match="v0\\.0"):
        side(project, "v0.0", tmp_path / "none")
    with pytest.raises(DiffError, match="no revision"):
        side(project, "--output=x", tmp_path / "none")
