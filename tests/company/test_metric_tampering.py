"""A definition that is tampered with is refused by the check, and the diff says how far the number would move.

Each movement is computed a second time, in Python, from the rows of the mart.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from tests.company.conftest import Group
from tieout.metrics.approve import objections
from tieout.metrics.definitions import read_yaml
from tieout.metrics.diff import MetricDiff, Side, compare
from tieout.metrics.rules import violations
from tieout.settings import PROJECT

pytestmark = [pytest.mark.company]

METRICS = PROJECT / "dbt_project" / "models" / "metrics"
Months = dict[str, Decimal]


@dataclass(frozen=True)
class Tampering:
    """One edit of one file, the metric it is aimed at, and the word by which the check tells what was done."""

    file: str
    old: str
    new: str
    metric: str
    words: str
    then: Callable[[Group], Months]
    now: Callable[[Group], Months]


def months(group: Group, sql: str) -> Months:
    """Sum by month of (day, amount) rows, those without a day by themselves."""
    found: Months = defaultdict(Decimal)
    for day, amount in group.rows(sql):
        if amount is not None:
            found[f"{day:%Y-%m}" if day else "without a date"] += amount
    return dict(found)


def orders(condition: str) -> Callable[[Group], Months]:
    return lambda group: months(
        group, f"select order_date, order_amount_net_cny from marts.fct_sales_order_line where {condition}"
    )


def invoices(column: str) -> Callable[[Group], Months]:
    return lambda group: months(
        group, f"select invoice_date, {column} from marts.fct_sales_invoice_line where is_posted"
    )


def shipped(day: str) -> Callable[[Group], Months]:
    return lambda group: months(
        group, f"select {day}, shipped_amount_net_cny from marts.fct_delivery_line where is_shipped"
    )


def bank(last: bool) -> Callable[[Group], Months]:
    """The balance on the last day of each month that has begun, or on its first."""

    def balances(group: Group) -> Months:
        rows = [
            (day, amount)
            for day, amount in group.rows(
                "select entry_date, balance_amount_cny from marts.fct_ledger_entry_line"
                " where is_posted and account_code like '1002%' and entry_date is not null"
            )
            if amount is not None
        ]
        (horizon,) = group.rows("select max(entry_date) from marts.fct_ledger_entry_line")[0]
        found, first = {}, min(day for day, _ in rows).replace(day=1)
        while first <= horizon:
            following = (first + timedelta(days=32)).replace(day=1)
            day = following - timedelta(days=1) if last else first
            upto = [amount for when, amount in rows if when <= day]
            if upto:
                found[f"{first:%Y-%m}"] = sum(upto, Decimal(0))
            first = following
        return found

    return balances


CASES = {
    "a filter is dropped": Tampering(
        "sales.yml", "expr: case when is_booked then order_amount_net_cny end", "expr: order_amount_net_cny",
        "sales_order_amount_net", "filter dropped: is_booked", orders("is_booked"), orders("true"),
    ),
    "last becomes first": Tampering(
        "finance.yml",
        "measure: bank_movement_cny\n      cumulative_type_params: {period_agg: last}",
        "measure: bank_movement_cny\n      cumulative_type_params: {period_agg: first}",
        "bank_balance", "period_agg last → period_agg first", bank(last=True), bank(last=False),
    ),
    "tax is included": Tampering(
        "finance.yml", "when is_posted then invoice_amount_net_cny end", "when is_posted then invoice_amount_gross_cny end",
        "sales_invoice_amount_net", "invoice_amount_net_cny → invoice_amount_gross_cny",
        invoices("invoice_amount_net_cny"), invoices("invoice_amount_gross_cny"),
    ),
    "another date column": Tampering(
        "sales.yml", "{name: ship_date, type: time,", "{name: ship_date, expr: planned_ship_date, type: time,",
        "sales_shipped_amount_net", "date: ship_date → planned_ship_date",
        shipped("ship_date"), shipped("planned_ship_date"),
    ),
}  # fmt: skip


def tampered(case: Tampering, folder: Path) -> Path:
    copy = folder / "metrics"
    shutil.copytree(METRICS, copy)
    file = copy / case.file
    text = file.read_text(encoding="utf-8")
    assert text.count(case.old) == 1, f"{case.file} is written otherwise now: adapt this test"
    file.write_text(text.replace(case.old, case.new), encoding="utf-8")
    return copy


@cache
def committed() -> Side:
    return Side("as it is", METRICS, read_yaml(METRICS))


def difference(group: Group, other: Side) -> list[MetricDiff]:
    return compare(committed(), other, (group.settings.warehouse, group.settings.warehouse))


@pytest.mark.parametrize("name", CASES)
def test_tampering_is_refused_and_its_movement_is_known(name, group, tmp_path):
    case = CASES[name]
    other = Side("tampered", tmp_path, read_yaml(tampered(case, tmp_path)))

    refused = {item.metric: item.message for item in objections(PROJECT / "dbt_project", other.definitions)}
    assert case.words in refused[case.metric]
    assert f"tieout metrics approve {case.metric}" in refused[case.metric]

    found = {item.metric: item for item in difference(group, other)}
    # Only this metric, and those computed from it.
    assert set(found) == set(refused)
    diff = found[case.metric]
    assert (diff.error, case.words in diff.words) == ("", True)
    then, now = case.then(group), case.now(group)
    expected = {
        month: (then.get(month), now.get(month))
        for month in then.keys() | now.keys()
        if then.get(month, 0) != now.get(month, 0)
    }
    assert expected, "the tampering changes something"
    moved = {
        item.period: (item.before, item.after)
        for item in diff.movements
        if item.dim_set == "all" and item.period != "all"
    }
    assert moved == expected
    assert diff.total == sum((b or 0) - (a or 0) for a, b in expected.values())


def test_a_balance_of_the_first_day_breaks_a_rule_as_well(tmp_path):
    broken = violations(read_yaml(tampered(CASES["last becomes first"], tmp_path)))
    assert ("period-agg", "bank_balance") in {(item.rule, item.subject) for item in broken}


def test_nothing_changed_nothing_moves(group):
    assert difference(group, Side("again", METRICS, committed().definitions)) == []
    assert objections(PROJECT / "dbt_project", committed().definitions) == []
