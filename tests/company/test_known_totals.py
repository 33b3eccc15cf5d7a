"""Every figure the ERP gave for its own books comes out of marts or metrics, to the last digit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.company.truth import PROSE, monthly, section
from tieout.engine import connect
from tieout.metrics.answer import answer

pytestmark = [pytest.mark.company]


def metric(company, name, **question):
    with connect(company.home / "snapshots" / "current.duckdb", read_only=True) as con:
        return answer(con, name, **question)


def by_month(company, name, **question):
    rows = metric(company, name, grain="month", **question).rows
    return {f"{period:%Y-%m}": value for period, value in rows}


def total(company, name, **question):
    ((value,),) = metric(company, name, **question).rows
    return value


def test_the_three_departments_have_three_figures_with_three_names(company):
    assert by_month(company, "sales_order_amount_net") == monthly(6)
    assert by_month(company, "sales_shipped_amount_net") == monthly(7)
    assert by_month(company, "revenue_amount_net") == monthly(4)


def test_revenue_by_year(company):
    years = {period.year: value for period, value in metric(company, "revenue_amount_net", grain="year").rows}
    assert years == {2025: PROSE["revenue_2025"], 2026: PROSE["revenue_2026"]}


def test_invoiced_sales_differ_from_the_ledger_by_one_cent_in_one_month(company):
    assert by_month(company, "sales_invoice_amount_net") == monthly(5)
    ledger = monthly(4)
    differing = {
        month: value - ledger[month] for month, value in monthly(5).items() if value != ledger[month]
    }
    assert differing == {"2025-11": Decimal("0.01")}


def test_trial_balance(company):
    lines, debit, credit, _ = section(3)[0]
    assert company.rows(
        "select count(*), sum(debit_amount_cny), sum(credit_amount_cny) from marts.fct_ledger_entry_line"
    ) == [(int(lines), Decimal(debit), Decimal(credit))]
    assert total(company, "ledger_debit_amount") == Decimal(debit)
    assert total(company, "ledger_credit_amount") == Decimal(credit)


def test_balance_of_every_account(company):
    expected = {row[0]: (Decimal(row[2]), Decimal(row[3]), Decimal(row[4])) for row in section(16)}
    found = company.rows(
        "select account_code, sum(debit_amount_cny), sum(credit_amount_cny), sum(balance_amount_cny)"
        " from marts.fct_ledger_entry_line group by 1"
    )
    assert {row[0]: row[1:] for row in found} == expected


@pytest.mark.parametrize(
    ("name", "account", "sign"),
    [
        ("receivable_balance", "1122", 1),
        ("payable_balance", "2202", -1),
        ("vat_balance", "2221", 1),
        ("bank_balance", "1002", 1),
    ],
)
def test_balances(company, name, account, sign):
    balance = {row[0]: Decimal(row[4]) for row in section(16)}[account]
    assert total(company, name) == sign * balance


def test_receivable_and_payable_equal_their_open_lines(company):
    (receivable, open_receivable), (payable, open_payable) = section(8)[0], section(9)[0]
    assert Decimal(receivable) == Decimal(open_receivable) == total(company, "receivable_balance")
    assert Decimal(payable) == Decimal(open_payable) == total(company, "payable_balance")


def test_the_five_largest_open_customers(company):
    found = company.rows(
        """
        select customer_code, customer_name, sum(balance_amount_cny) as amount
        from marts.fct_ledger_entry_line join marts.dim_customer using (customer_key)
        where account_code = '1122' group by all order by amount desc limit 5
        """
    )
    assert found == [(code, name, Decimal(amount)) for code, name, amount in section(10)]


def test_stock_of_every_product_in_its_own_unit(company):
    expected = {code: Decimal(quantity) for code, quantity in section(12)}
    rows = metric(company, "stock_on_hand_qty", by=("product_code",)).rows
    assert {code: value for code, value in rows if value} == expected
    units = company.rows(
        "select product_code, base_uom_code from marts.dim_product where product_code like 'R00%'"
    )
    assert dict(units)["R001"] == "kg"
    assert dict(units)["R004"] == "m"


def test_stock_of_every_warehouse(company):
    expected = {row[0]: (int(row[2]), Decimal(row[3])) for row in section(11)}
    found = company.rows(
        """
        select warehouse_code, count(distinct product_key), sum(closing_qty)
        from marts.fct_stock_balance_day join marts.dim_warehouse using (warehouse_key)
        where balance_date = (select max(balance_date) from marts.fct_stock_balance_day)
            and warehouse_code in ('SH', 'CD')
        group by 1
        """
    )
    assert {row[0]: row[1:] for row in found} == expected


def test_stock_value_and_the_ledger_differ_as_the_erp_says(company):
    (*ledger, on_hand) = section(13)
    in_ledger = sum(Decimal(row[2]) for row in ledger)
    assert in_ledger - Decimal(on_hand[0]) == PROSE["stock_value_difference"]
    ((left, right, difference),) = company.rows(
        "select left_total, right_total, difference from tie.identity_result where identity = 'stock_value_equals_ledger'"
    )
    # Average costs have four decimals, so on hand x cost does too; the ERP prints it to the cent.
    assert (round(left, 2), right) == (Decimal(on_hand[0]), in_ledger)
    assert round(difference, 2) == PROSE["stock_value_difference"]


def test_goods_received_and_invoiced_by_suppliers(company):
    received = {row[1]: Decimal(row[2]) for row in section(14) if row[0] == "received"}
    invoiced = {row[1]: Decimal(row[2]) for row in section(14) if row[0] == "invoiced"}
    assert by_month(company, "goods_received_amount_net") == received
    assert by_month(company, "supplier_invoice_amount_net") == invoiced
    assert total(company, "goods_received_amount_net") == PROSE["received_goods"]
    assert total(company, "supplier_invoice_amount_net") == PROSE["invoiced_by_suppliers"]


def test_drafts_not_yet_in_the_books(company):
    assert company.rows(
        "select count(distinct invoice_id), count(*), sum(invoice_amount_net_txn)"
        " from marts.fct_sales_invoice_line where is_draft"
    ) == [
        (
            PROSE["draft_customer_invoices"],
            PROSE["draft_customer_invoice_lines"],
            PROSE["draft_customer_invoice_amount"],
        )
    ]
    by_currency = metric(company, "sales_invoice_draft_amount_net_txn", by=("currency_code",)).rows
    assert sum(value for _, value in by_currency) == PROSE["draft_customer_invoice_amount"]
    assert len(by_currency) == 2, "amounts in two currencies are two figures, never one"
    drafts = company.value(
        "select count(distinct invoice_id) from marts.fct_supplier_invoice_line where is_draft"
    )
    assert drafts == PROSE["draft_supplier_invoices"]


def test_production(company):
    months, units = section(15)[:-1], section(15)[-1]
    planned = {row[0]: (int(row[1]), Decimal(row[2])) for row in months}
    found = company.rows(
        "select strftime(effective_date, '%Y-%m'), count(*), sum(planned_qty) from marts.fct_work_order where is_done group by 1"
    )
    assert {row[0]: row[1:] for row in found} == planned
    assert sum(quantity for _, quantity in planned.values()) == PROSE["planned_pieces"]
    # Everything made is counted in pieces; the metric refuses to add without being told so.
    assert metric(company, "produced_qty", by=("base_uom_code",)).rows == [("piece", Decimal(units[1]))]
    assert metric(company, "scrapped_qty", by=("base_uom_code",)).rows == [
        ("piece", PROSE["scrapped_pieces"])
    ]


def test_worked_hours(company):
    # The ERP rounds to tenths of an hour for print.
    assert {month: round(value, 1) for month, value in by_month(company, "worked_hours").items()} == monthly(
        17, 2
    )


def test_documents_by_number_and_state(company):
    rows = {row[0]: int(row[1]) for row in section(1)}
    raw = {
        "sale": "raw_hx_sales.sale_sale",
        "sale_line": "raw_hx_sales.sale_line",
        "purchase": "raw_hx_purchasing.purchase_order",
        "purchase_line": "raw_hx_purchasing.purchase_order_line",
        "invoice": "raw_hx_finance.invoice",
        "invoice_line": "raw_hx_finance.invoice_line",
        "account_move": "raw_hx_finance.ledger_move",
        "account_move_line": "raw_hx_finance.ledger_line",
        "stock_move": "raw_hx_stock.stock_move",
        "production": "raw_hx_stock.production",
        "opportunity": "raw_hx_sales.sale_opportunity",
        "timesheet_line": "raw_hx_people.timesheet",
        "employee": "raw_hx_people.employee",
    }
    found = {
        name: company.value(f"select count(*) from {table} where not _is_deleted")
        for name, table in raw.items()
    }
    assert found == {name: rows[name] for name in raw}
    states = {(row[0], row[1]): int(row[2]) for row in section(2)}
    sales = company.rows("select 'sale', state, count(*) from raw_hx_sales.sale_sale group by all")
    assert {row[:2]: row[2] for row in sales} == {key: n for key, n in states.items() if key[0] == "sale"}


def test_ledger_lines_of_the_wrong_day_are_shown_not_hidden(company):
    assert company.rows(
        "select count(*), sum(debit_amount_cny) from marts.fct_ledger_entry_line where is_outside_operations"
    ) == [(PROSE["wrong_day_lines"], PROSE["wrong_day_debit"])]
    assert company.rows(
        "select distinct status, unexpected_count from ops.check_result"
        " where table_name = 'fct_ledger_entry_line' and severity = 'warning' and status <> 'passed'"
    ) == [("failed", PROSE["wrong_day_lines"])]
