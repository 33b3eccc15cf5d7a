"""Every governed metric equals an independent computation in plain Python, to the cent, and the answer key of 华辰."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import duckdb
import pytest

from tests.company.conftest import Group
from tests.company.metric_truth import METRICS, Cells, Evaluator, Value, fetch
from tieout.engine import connect
from tieout.metrics.answer import answer

pytestmark = [pytest.mark.company, pytest.mark.slow]

GRAINS = (None, "day", "week", "month", "quarter", "year")
Sets = dict[str, list[tuple[str, ...]]]


@pytest.fixture(scope="module")
def con(group: Group) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(group.home / "warehouse.duckdb", read_only=True) as con:
        yield con


@pytest.fixture(scope="module")
def truth(con: duckdb.DuckDBPyConnection) -> Evaluator:
    return Evaluator(fetch(con), METRICS)


@pytest.fixture(scope="module")
def sets(con: duckdb.DuckDBPyConnection) -> Sets:
    """The dimension sets each metric is reported by."""
    found: Sets = defaultdict(list)
    for name, dim_set in con.execute(
        "select distinct metric_name, dim_set from metrics.compiled_query order by all"
    ).fetchall():
        found[name].append(() if dim_set == "all" else tuple(dim_set.split(",")))
    return found


def equal(ours: Value, theirs: Value, places: str = "1e-9") -> bool:
    """Sums to the last digit; quotients are binary fractions on both sides."""
    if isinstance(ours, float):
        return abs(Decimal(ours) - Decimal(theirs)) <= Decimal(places) * max(1, abs(Decimal(ours)))
    return Decimal(ours) == Decimal(theirs)


def differences(expected: Cells, found: Cells, places: str = "1e-9") -> list[str]:
    keys = sorted(expected.keys() | found.keys(), key=repr)
    return [
        f"{start} {members}: expected {expected.get((start, members))}, found {found.get((start, members))}"
        for start, members in keys
        if (start, members) not in expected
        or (start, members) not in found
        or not equal(expected[start, members], found[start, members], places)
    ]


# --- every metric, grain and dimension set ----------------------------------------------------------


def test_every_metric_has_rules_written_by_hand(sets):
    assert set(METRICS) == set(sets)
    assert len(METRICS) >= 107


def test_every_stored_value_is_the_independent_one(con, truth, sets):
    """All of metrics.metric_values: 'all', month, quarter, year of every set; day and week of the totals."""
    stored: dict[tuple[str, str, str], Cells] = defaultdict(dict)
    for name, grain, dim_set, start, dims, value in con.execute(
        "select metric_name, time_grain, dim_set, period_start, dims, value from metrics.metric_values"
    ).fetchall():
        members = json.loads(dims)
        stored[name, grain, dim_set][start, tuple(members[key] for key in sorted(members))] = value
    kept = set(con.execute(
        "select metric_name, time_grain, dim_set from metrics.compiled_query where has_values"
    ).fetchall())  # fmt: skip
    wrong, compared = [], 0
    for name, by_sets in sets.items():
        for by in by_sets:
            for grain in GRAINS:
                key = (name, grain or "all", ",".join(by) or "all")
                if key not in kept:
                    continue  # by day or week, or with its unit left open: asked of the library below
                expected = truth.cells(name, grain, by)
                compared += len(expected)
                found = stored.pop(key, {})
                wrong += [f"{' '.join(key)} {text}" for text in differences(expected, found, "1e-8")]
    assert not wrong, f"{len(wrong)} cells differ:\n" + "\n".join(wrong[:30])
    assert not stored and compared > 50_000


@pytest.mark.parametrize("grain", GRAINS)
def test_every_answer_by_every_set_is_the_independent_one(con, truth, sets, grain):
    for name, by_sets in sets.items():
        for by in by_sets:
            rows = answer(con, name, grain, by).rows
            found = {(row[0] if grain else None, tuple(row[bool(grain) : -1])): row[-1] for row in rows}
            wrong = differences(truth.cells(name, grain, by), found)
            assert not wrong, f"{name} {grain} {by}: {len(wrong)} cells differ:\n" + "\n".join(wrong[:10])


def test_members_nobody_knows_and_empty_ones_keep_their_money(con, truth):
    """What the marts hold for unmatched, not applicable and no member at all is part of the sum over members."""
    asked = {
        ("sales_invoice_amount_net", "customer_code"), ("supplier_invoice_amount_net", "product_code"),
        ("platform_order_count", "warehouse_code"), ("purchase_order_amount_net", "product_code"),
        ("receivable_balance", "customer_code"),
    }  # fmt: skip
    special = set()
    for name, dimension in asked:
        whole, parts = truth.cells(name, None, ()), answer(con, name, None, [dimension]).rows
        assert sum(row[-1] for row in parts) == whole[None, ()], name
        special |= {row[0] for row in parts} & {"unmatched", "not_applicable", None}
    assert "not_applicable" in special


def test_nothing_in_a_period_is_no_row_and_a_zero_divisor_none(con, truth):
    """No sample company traded in June of a year it had not begun; nothing was refunded without a shipment."""
    assert answer(con, "worked_hours", "month", period="2024-06").rows == []
    for name in ("platform_refund_ratio", "sales_shipped_margin_ratio", "stock_turnover_ratio"):
        found = answer(con, name, "day").rows
        assert found and all(row[-1] == row[-1] and abs(row[-1]) != float("inf") for row in found), name
        assert len(found) == len(truth.cells(name, "day", ()))


def test_stock_is_known_of_every_place_on_the_last_day(con):
    """The metric takes the last day of the whole fact: a company that ended a day earlier would be missing in it."""
    ended = con.execute(
        "select company_code, product_key, warehouse_key, max(balance_date) from marts.fct_stock_balance_day"
        " group by all having max(balance_date) < (select max(balance_date) from marts.fct_stock_balance_day)"
    ).fetchall()
    assert ended == []


# --- the answer key of 华辰 -------------------------------------------------------------------------

HC, HCE = {"company_code": "HC"}, {"company_code": "HCE"}
CNY, EUR = {"currency_code": "CNY"}, {"currency_code": "EUR"}
# (module, measure, currency) of the answer key → the metrics that add up to it.
CLAIMS = {
    ("sales", "order_net", "CNY"): [("sales_order_amount_net", HC)],
    ("sales", "order_gross", "CNY"): [("sales_order_amount_gross_txn", HC | CNY)],
    ("sales", "order_lines", "CNY"): [("sales_order_line_count", HC)],
    ("sales_hce", "order_gross", "EUR"): [("sales_order_amount_gross_txn", HCE | EUR)],
    ("sales_hce", "order_lines", "EUR"): [("sales_order_line_count", HCE)],
    ("receivables", "invoice_net", "CNY"): [("sales_invoice_amount_net", HC)],
    ("receivables", "invoice_gross", "CNY"): [("sales_invoice_amount_gross", HC)],
    ("receivables", "receipts", "CNY"): [("customer_receipt_amount", HC)],
    ("payables", "invoice_gross", "CNY"): [("supplier_invoice_amount_gross", HC)],
    ("payables", "payments", "CNY"): [("supplier_payment_amount", HC)],
    ("shop", "sent_gross", "CNY"): [("platform_shipped_amount_gross", HC), ("platform_freight_amount_gross_txn", HC | CNY)],
    ("shop", "refunds", "CNY"): [("platform_refund_amount_gross", HC)],
    ("shop", "settled_net", "CNY"): [("platform_settled_amount", HC)],
    ("hr", "payroll", "CNY"): [("wages_accrued_amount", HC)],
    ("hr", "attendance_days", "-"): [("attendance_day_count", HC)],
    ("logistics", "freight", "CNY"): [("shipment_freight_amount_gross", HC)],
    ("production", "good", "-"): [("produced_qty", HC | {"base_uom_code": None})],
    ("production", "scrap", "-"): [("scrapped_qty", HC | {"base_uom_code": None})],
    ("stock", "issue_cost", "CNY"): [("material_issued_cost_amount", HC)],
    ("stock", "output_cost", "CNY"): [("production_output_cost_amount", HC)],
}  # fmt: skip


def monthly(con, name: str, where: dict[str, str | None], sign: int = 1) -> dict[str, Decimal]:
    """A metric by month; a dimension fixed to None is added up over its members."""
    by = [key for key, member in where.items() if member is None]
    fixed = {key: member for key, member in where.items() if member is not None}
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in answer(con, name, "month", by, where=fixed).rows:
        found[f"{row[0]:%Y-%m}"] += sign * row[-1]
    return found


@pytest.mark.parametrize("claim", CLAIMS, ids=".".join)
def test_a_metric_is_the_total_of_the_answer_key(group: Group, con, claim):
    module, measure, currency = claim
    expected = {
        month: value for (month, money), value in group.totals(module, measure).items() if money == currency
    }
    # What the generator wrote and nobody approved yet is booked nowhere.
    if module == "sales":
        value = {"order_net": "amount_net", "order_gross": "amount_gross", "order_lines": "1"}[measure]
        for month, amount in group.rows(
            f"select strftime(order_date, '%Y-%m'), sum({value}) from raw_hc_kingdee.sales_order_line"
            " where status_code <> 'C' and not _is_deleted group by 1"
        ):
            expected[month] -= amount
    found: dict[str, Decimal] = defaultdict(Decimal)
    for name, where in CLAIMS[claim]:
        for month, amount in monthly(con, name, where).items():
            found[month] += amount
    assert len(expected) >= 20
    assert {key: value for key, value in found.items() if value} == {
        key: value for key, value in expected.items() if value
    }


def test_stock_and_its_cost_at_the_end_of_every_month_are_those_of_the_answer_key(group: Group, con):
    rows = group.answers("stock")
    ours = {"W01", "W02", "W03"}
    quantity: dict[str, Decimal] = defaultdict(Decimal)
    cost: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row["warehouse"] in ours:
            quantity[row["period"]] += Decimal(row["quantity"])
            cost[row["period"]] += Decimal(row["cost"])
    found = monthly(con, "stock_on_hand_qty", HC | {"base_uom_code": None})
    value = monthly(con, "stock_value_balance", HC)
    assert len(quantity) == 24
    assert {month: found[month] for month in quantity} == quantity
    assert {month: value[month] for month in cost} == cost


# Account prefixes and side of the trial balance → metric.
BALANCES = {
    "receivable_balance": (("1122",), 1), "payable_balance": (("2202",), -1), "vat_balance": (("2221",), 1),
    "bank_balance": (("1002",), 1), "cash_balance": (("1002", "1012"), 1),
    "stock_ledger_balance": (("1403", "1404", "1405"), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", BALANCES)
def test_a_balance_is_that_of_the_trial_balance(group: Group, con, name):
    prefixes, sign = BALANCES[name]
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for row in group.answers("trial_balance"):
        if row["entity"] == "HC" and row["account"].startswith(prefixes):
            expected[f"{row['period'][:4]}-{row['period'][4:]}"] += sign * Decimal(row["closing"])
    found = monthly(con, name, HC)
    assert len(expected) == 24
    assert {month: found.get(month, 0) for month in expected} == expected


@pytest.mark.parametrize(
    ("name", "side"), [("ledger_debit_amount", "debit"), ("ledger_credit_amount", "credit")]
)
def test_debits_and_credits_are_those_of_the_trial_balance(group: Group, con, name, side):
    expected = {
        (date(int(row["period"][:4]), int(row["period"][4:]), 1), row["account"]): Decimal(row[side])
        for row in group.answers("trial_balance")
        if row["entity"] == "HC" and Decimal(row[side])
    }
    found = {
        (start, account): value
        for start, account, _, value in answer(con, name, "month", ["account_code"], where=HC).rows
        if value
    }
    assert len(expected) > 300 and found == expected


def test_profit_is_what_the_year_end_carries_to_the_profit_account(group: Group, con):
    """The key closes income and expense once a year; what it carries to 4103 is the profit of that year."""
    expected = {
        int(row["period"][:4]): Decimal(row["credit"]) - Decimal(row["debit"])
        for row in group.answers("trial_balance")
        if row["entity"] == "HC" and row["account"] == "4103" and (Decimal(row["credit"]) or Decimal(row["debit"]))
    }  # fmt: skip
    found = {row[0].year: row[-1] for row in answer(con, "ledger_profit_amount", "year", where=HC).rows}
    assert len(expected) == 2 and found == expected
