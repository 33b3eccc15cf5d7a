"""华辰's departments agree: every identity ties out on the clean sample, and its totals are those of the answer key."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal

import pytest

from tests.company.conftest import Group
from tieout.settings import PROJECT
from tieout.tie.claims import read_claims

pytestmark = [pytest.mark.company, pytest.mark.slow]

CLAIMS = {
    claim.claim: claim
    for claim in read_claims(PROJECT / "expectations" / "reconciliation")
    if {"HC", "HCE"} & set(claim.companies)
}

# Identity → side or cause, and the measure of the answer key that its total must be, over all months.
TOTALS = {
    "orders_equal_goods_sent": {"right_value": ("stock", "delivery_quantity")},
    "warehouse_shipments_equal_stock_issues": {
        "left_value": ("stock", "delivery_quantity"), "right_value": ("stock", "delivery_quantity"),
    },
    "purchase_orders_equal_goods_received": {"right_value": ("stock", "receipt_quantity")},
    "material_used_equals_stock_issued": {
        "left_value": ("stock", "issue_quantity"), "right_value": ("stock", "issue_quantity"),
    },
    "reported_output_equals_stock_taken_in": {
        "left_value": ("production", "good"), "right_value": ("stock", "output_quantity"),
    },
    "work_orders_equal_output_and_scrap": {
        "right_value": ("production", "good"), "-scrap_amount": ("production", "scrap"),
    },
    "sales_invoices_equal_voucher_revenue": {
        "left_value": ("receivables", "invoice_net"), "right_value": ("receivables", "invoice_net"),
    },
    "goods_sent_equal_sales_invoices": {"right_value - left_value - open_amount": None},
    "receipts_equal_bank_debits": {
        "left_value": ("receivables", "receipts"), "right_value": ("receivables", "receipts"),
    },
    "shop_days_equal_vouchers": {
        "left_value": ("shop", "sent_gross"), "-return_amount": ("shop", "refunds"),
    },
    "shop_orders_equal_settlements": {
        "left_value": ("shop", "sent_gross"), "right_value": ("shop", "settled_net"), "-return_amount": ("shop", "refunds"),
    },
    "settlements_equal_bank_debits": {
        "left_value": ("shop", "settled_net"), "right_value": ("shop", "settled_net"),
    },
    "shop_orders_equal_goods_sent": {"left_value": ("stock", "shop_quantity"), "right_value": ("stock", "shop_quantity")},
    "shop_refunds_equal_goods_taken_back": {
        "left_value": ("stock", "shop_return_quantity"), "right_value": ("stock", "shop_return_quantity"),
    },
    "payroll_equals_ledger_wages": {"left_value": ("hr", "payroll"), "right_value": ("hr", "payroll")},
    "spare_part_orders_equal_ledger": {"right_value - left_value": None},
}  # fmt: skip
# Identity → side, and the column of the trial balance (entity, account) that its total must be; closing is the last one.
BALANCES = {
    "sales_invoices_equal_receivable_debits": ("left_value", "HC", ("1122",), "debit"),
    "receipts_equal_receivable_credits": ("left_value", "HC", ("1122",), "credit"),
    "open_sales_invoices_equal_receivables": ("left_value", "HC", ("1122",), "closing"),
    "supplier_invoices_equal_payable_credits": ("left_value", "HC", ("2202",), "credit"),
    "supplier_payments_equal_payable_debits": ("left_value", "HC", ("2202",), "debit"),
    "open_supplier_invoices_equal_payables": ("-left_value", "HC", ("2202",), "closing"),
    "goods_received_equal_accrued_payables": ("left_value", "HC", ("220201",), "credit"),
    "stock_documents_equal_ledger_stock": ("left_value", "HC", ("1403", "1405"), "closing"),
    "shop_days_equal_vouchers": ("right_value", "HC", ("1012",), "debit"),
    "intercompany_sales_equal_purchases": ("left_value", "HCE", ("893000",), "debit"),
    "intercompany_receipts_equal_payments": ("left_value", "HCE", ("160000",), "debit"),
}


def total(group: Group, identity: str, part: str) -> Decimal:
    return group.value(f"select sum({part}) from tie.identity_{identity}")


def balance(group: Group, entity: str, accounts: tuple[str, ...], column: str) -> Decimal:
    rows = [
        row
        for row in group.answers("trial_balance")
        if row["entity"] == entity and row["account"] in accounts
    ]
    if column == "closing":
        last = max(row["period"] for row in rows)
        rows = [row for row in rows if row["period"] == last]
    return sum((Decimal(row[column]) for row in rows), Decimal(0))


def test_every_identity_of_huachen_compared_something_and_nothing_is_left_unexplained(group):
    said = {
        identity: (status, groups)
        for identity, status, groups in group.rows(
            "select identity, status, group_count from tie.identity_result"
        )
    }
    assert len(CLAIMS) >= 40
    assert {name: said[name] for name in CLAIMS if said[name][0] == "broken" or not said[name][1]} == {}
    left = {name: group.value(f"select sum(abs(unexplained)) from tie.identity_{name}") for name in CLAIMS}
    assert {name: amount for name, amount in left.items() if amount != 0} == {}


def test_every_accepted_cause_shows_its_rows(group):
    rows = group.rows(
        """select identity, group_key, cause_name, cause_amount, evidence from tie.identity_break
        where cause <> 'unexplained' order by all"""
    )
    causes = defaultdict(Decimal)
    for identity, group_key, cause, amount, evidence in rows:
        if identity in CLAIMS:
            assert json.loads(evidence), (identity, group_key, cause)
            causes[identity, cause] += abs(amount)
    # the only accepted difference that moves no total: a person whom two lists of HR put into different departments
    assert causes["payroll_equals_ledger_wages", "another_department"] > 0
    assert total(group, "payroll_equals_ledger_wages", "another_department_amount") == 0


@pytest.mark.parametrize("identity", TOTALS)
def test_totals_are_those_of_the_answer_key(group, identity):
    for part, measure in TOTALS[identity].items():
        expected = sum(group.totals(*measure).values(), Decimal(0)) if measure else 0
        assert total(group, identity, part) == expected, (identity, part)


@pytest.mark.parametrize("identity", BALANCES)
def test_totals_are_those_of_the_trial_balance(group, identity):
    part, entity, accounts, column = BALANCES[identity]
    assert total(group, identity, part) == balance(group, entity, accounts, column)


def test_the_subsidiarys_invoices_are_those_of_the_answer_key_in_its_own_currency(group):
    found = dict(
        group.rows(
            "select amount_kind, sum(left_value) from tie.identity_subsidiary_invoices_equal_journal group by 1"
        )
    )
    net = sum(group.totals("receivables_hce", "invoice_net").values(), Decimal(0))
    gross = sum(group.totals("receivables_hce", "invoice_gross").values(), Decimal(0))
    assert found == {"net": net, "tax": gross - net, "gross": gross}


def test_the_whole_company_fits_one_screen_and_says_how_much_of_it_ties_out(group):
    said = group.run("tie").stdout

    assert len(said.splitlines()) <= 40
    broken = group.value("select count(*) from tie.identity_result where status = 'broken'")
    every = group.value("select count(*) from tie.identity_result")
    assert f"({every - broken} of {every})" in said and "tie-out rate" in said
    listed = group.run("tie", "--all").stdout
    titles = {title for (title,) in group.rows("select title_zh from tie.identity_result")}
    assert all(title in listed for title in titles)
