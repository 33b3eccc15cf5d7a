"""The facts of the marts against the answer key of 华辰精工: totals by month and currency, books, stock, keys."""

from __future__ import annotations

import re
from collections import defaultdict
from decimal import Decimal

import pytest

from tests.company.conftest import Group
from tieout.settings import PROJECT

pytestmark = [pytest.mark.company, pytest.mark.slow]

HC, HCE = "company_code = 'HC'", "company_code = 'HCE'"
# (module, measure) of the answer key → fact, day, currency, value, and which rows.
CLAIMS = {
    ("sales", "order_net"): ("fct_sales_order_line", "order_date", "currency_code", "sum(order_amount_net_txn)", HC),
    ("sales", "order_gross"): ("fct_sales_order_line", "order_date", "currency_code", "sum(order_amount_gross_txn)", HC),
    ("sales", "order_lines"): ("fct_sales_order_line", "order_date", "currency_code", "count(*)", HC),
    ("sales_hce", "order_net"): ("fct_sales_order_line", "order_date", "currency_code", "sum(order_amount_net_txn)", HCE),
    ("sales_hce", "order_gross"): ("fct_sales_order_line", "order_date", "currency_code", "sum(order_amount_gross_txn)", HCE),
    ("sales_hce", "order_lines"): ("fct_sales_order_line", "order_date", "currency_code", "count(*)", HCE),
    ("receivables", "invoice_net"): ("fct_sales_invoice_line", "invoice_date", "currency_code", "sum(invoice_amount_net_txn)", HC),
    ("receivables", "invoice_gross"): ("fct_sales_invoice_line", "invoice_date", "currency_code", "sum(invoice_amount_gross_txn)", HC),
    ("receivables_hce", "invoice_net"): ("fct_sales_invoice_line", "invoice_date", "currency_code", "sum(invoice_amount_net_txn)", HCE),
    ("receivables_hce", "invoice_gross"): ("fct_sales_invoice_line", "invoice_date", "currency_code", "sum(invoice_amount_gross_txn)", HCE),
    ("receivables", "receipts"): ("fct_payment", "payment_date", "currency_code", "sum(bank_amount_txn)", f"{HC} and payment_kind = 'customer_receipt'"),
    ("receivables_hce", "receipts"): ("fct_payment", "payment_date", "currency_code", "sum(bank_amount_txn)", f"{HCE} and payment_kind = 'customer_receipt'"),
    ("payables", "invoice_gross"): ("fct_supplier_invoice_line", "invoice_date", "currency_code", "sum(invoice_amount_gross_txn)", HC),
    ("payables", "payments"): ("fct_payment", "payment_date", "currency_code", "-sum(bank_amount_txn)", f"{HC} and payment_kind = 'supplier_payment'"),
    ("purchasing", "order_net"): ("fct_purchase_order_line", "order_date", "currency_code", "sum(order_amount_net_txn)", f"{HC} and is_goods"),
    ("shop", "sent_gross"): ("fct_platform_order_line", "ship_date", "currency_code", "sum(order_amount_gross_txn + freight_amount_gross_txn)", f"{HC} and is_shipped"),
    ("shop", "refunds"): ("fct_platform_refund_line", "refund_date", "currency_code", "sum(refund_amount_gross_txn)", HC),
    ("shop", "settled_net"): ("fct_platform_settlement", "payment_date", "currency_code", "sum(payment_amount_txn)", HC),
    ("hr", "payroll"): ("fct_headcount_month", "month_end_date", "currency_code", "sum(gross_pay_amount_txn)", HC),
    ("hr", "attendance_days"): ("fct_attendance_day", "work_date", "'-'", "count(*)", HC),
    ("logistics", "freight"): ("fct_shipment", "ship_date", "currency_code", "sum(freight_amount_gross_txn)", HC),
    ("production", "good"): ("fct_work_order", "planned_date", "'-'", "sum(produced_qty)", f"{HC} and is_done"),
    ("production", "scrap"): ("fct_work_order", "planned_date", "'-'", "sum(scrapped_qty)", f"{HC} and is_done"),
}  # fmt: skip
# The stock documents of the answer key → moves of the parent; the subsidiary's own deliveries are in no system.
STOCK = {
    "receipt": "move_kind = 'receipt'",
    "issue": "move_kind = 'production_issue'",
    "output": "move_kind = 'production_output'",
    "opening": "move_kind = 'opening'",
    "count": "move_kind in ('inventory_gain', 'inventory_loss')",
    "shop": "move_kind = 'delivery' and source_stream = 'other_issue_line'",
    "shop_return": "move_kind = 'return' and source_stream = 'other_receipt_line'",
    "transfer_in": "move_kind = 'internal' and source_stream = 'other_receipt_line'",
    "transfer_out": "move_kind = 'internal' and source_stream = 'other_issue_line'",
}


def found(
    group: Group, fact: str, day: str, currency: str, value: str, which: str
) -> dict[tuple[str, str], Decimal]:
    rows = group.rows(
        f"select strftime({day}, '%Y-%m'), {currency}, {value} from marts.{fact} where {which} group by 1, 2"
    )
    return {(period, money): Decimal(amount) for period, money, amount in rows if amount}


def without_nothing(totals: dict[tuple[str, str], Decimal]) -> dict[tuple[str, str], Decimal]:
    return {key: value for key, value in totals.items() if value}


@pytest.mark.parametrize("claim", CLAIMS, ids=".".join)
def test_a_fact_adds_up_to_the_answer_key(group: Group, claim: tuple[str, str]) -> None:
    expected = without_nothing(group.totals(*claim))
    assert len(expected) >= 10 and found(group, *CLAIMS[claim]) == expected


@pytest.mark.parametrize("kind", STOCK)
def test_stock_moves_add_up_to_the_answer_key(group: Group, kind: str) -> None:
    which = f"{HC} and is_done and {STOCK[kind]}"
    expected = without_nothing(group.totals("stock", f"{kind}_quantity"))
    assert (
        expected
        and found(group, "fct_stock_move", "move_date", "'-'", "sum(move_qty_base)", which) == expected
    )
    cost = without_nothing(group.totals("stock", f"{kind}_cost"))
    assert found(group, "fct_stock_move", "move_date", "'CNY'", "sum(stock_value_amount_cny)", which) == cost


@pytest.mark.parametrize("company", ["HC", "HCE"])
def test_the_books_are_the_trial_balance_of_the_answer_key(group: Group, company: str) -> None:
    """Every account in every period, in the currency of the books."""
    sides = "sum(debit_amount_cny), sum(credit_amount_cny)"
    if company == "HCE":
        sides = "sum(greatest(amount_txn, 0)), sum(greatest(-amount_txn, 0))"
    rows = group.rows(
        f"select replace(fiscal_period, '-', ''), account_code, {sides} from marts.fct_ledger_entry_line"
        f" where company_code = '{company}' group by 1, 2"
    )
    ours = {(period, account): (debit, credit) for period, account, debit, credit in rows}
    expected = {
        (row["period"], row["account"]): (Decimal(row["debit"]), Decimal(row["credit"]))
        for row in group.answers("trial_balance")
        if row["entity"] == company and (Decimal(row["debit"]) or Decimal(row["credit"]))
    }
    assert len(expected) > 50 and ours == expected


def test_stock_at_the_end_of_every_month_is_that_of_the_answer_key(group: Group) -> None:
    """By warehouse and by what a product truly is, whatever code a system gives it."""
    truly = group.truly("u8", "product")
    rows = group.rows(
        """
        select strftime(b.balance_date, '%Y-%m'), w.warehouse_code, c.source_key, b.closing_qty
        from marts.fct_stock_balance_day b
        join marts.dim_warehouse w using (warehouse_key)
        join master.crosswalk c on b.product_key = c.master_key and c.source_system = 'hc_u8' and c.entity = 'product'
        where b.company_code = 'HC' and b.balance_date = last_day(b.balance_date)
        """
    )
    ours: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for month, warehouse, code, quantity in rows:
        ours[month, warehouse, truly[code]] += quantity
    expected = {
        (row["period"], row["warehouse"], row["product"]): Decimal(row["quantity"])
        for row in group.answers("stock")
        if row["warehouse"] in {warehouse for _, warehouse, _ in ours}
    }
    assert len(expected) > 500
    assert {key: ours[key] for key in expected} == expected


def test_the_subsidiary_is_in_cny_at_the_rate_of_each_day(group: Group) -> None:
    """A second computation, from what Kingdee and SAP hold, line by line and in decimals of Python."""
    rates = dict(
        group.rows(
            "select valid_from, rate from raw_hc_kingdee.exchange_rate"
            " where from_currency_code = 'EUR' and not _is_deleted"
        )
    )
    rows = group.rows(
        "select o.sales_order_date, i.net_amount from raw_hc_sap.sales_order_item i"
        " join raw_hc_sap.sales_order o using (sales_order) where not i._is_deleted"
    )
    cent = Decimal("0.01")
    expected = sum((amount * rates[day]).quantize(cent, "ROUND_HALF_UP") for day, amount in rows)
    ours = group.value(f"select sum(order_amount_net_cny) from marts.fct_sales_order_line where {HCE}")
    assert len(rows) > 100 and ours == expected


@pytest.mark.parametrize("entity", ["customer", "supplier", "product", "employee"])
def test_every_member_has_one_version_at_any_moment(group: Group, entity: str) -> None:
    """Versions follow each other without a gap from 1900 to 9999, and the current one is what the dimension says."""
    key = f"{entity}_key"
    versions = group.rows(
        f"select {key}, valid_from, valid_to, is_current from marts.dim_{entity}_history order by 1, 2"
    )
    by_member: dict[str, list[tuple]] = defaultdict(list)
    for member, *version in versions:
        by_member[member].append(tuple(version))
    for member, held in by_member.items():
        assert held[0][0].year == 1900 and held[-1][1].year == 9999, member
        assert [version[2] for version in held] == [False] * (len(held) - 1) + [True]
        assert [version[1] for version in held[:-1]] == [version[0] for version in held[1:]]
    assert set(by_member) == {member for (member,) in group.rows(f"select {key} from marts.dim_{entity}")}
    columns = f"{key}, {entity}_name"
    assert group.value(
        f"select count(*) from (select {columns} from marts.dim_{entity}"
        f" except select {columns} from marts.dim_{entity}_history where is_current)"
    ) == 0  # fmt: skip


def test_what_one_company_sells_the_other_is_marked(group: Group) -> None:
    """The parent's sales to its subsidiary are exactly those to the customer that is the subsidiary."""
    ((marked, named),) = group.rows(
        "select count(*) filter (where is_intercompany), count(*) filter (where customer_name = 'Huachen Europe GmbH')"
        f" from marts.fct_sales_order_line join marts.dim_customer using (customer_key) where {HC}"
    )
    assert marked == named > 100


def test_one_order_is_walked_from_the_first_contact_to_the_money(group: Group) -> None:
    """Every opportunity that was won and paid for, along what the documents themselves name in the systems."""
    reached = group.rows(
        """
        with recursive path as (
            select from_no as opportunity_no, to_kind, to_no from marts.fct_document_link
            where company_code = 'HC' and from_kind = 'opportunity'
            union
            select path.opportunity_no, link.to_kind, link.to_no
            from path join marts.fct_document_link link on link.from_kind = path.to_kind and link.from_no = path.to_no
        )
        select opportunity_no, list(distinct to_no order by to_no) from path where to_kind = 'customer_receipt' group by 1
        """
    )
    expected = group.rows(
        """
        select o.opportunity_no, list(distinct r.payment_no order by r.payment_no)
        from raw_hc_crm.opportunity o
        join raw_hc_u8.delivery d on d.sales_order_no = o.order_no
        join raw_hc_kingdee.receivable_line i on i.source_no = d.document_no
        join raw_hc_kingdee.receipt_line r on r.settles_no = i.bill_no
        group by 1
        """
    )
    assert len(expected) > 50 and sorted(reached) == sorted(expected)


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_sql_of_the_readme_gives_the_table_below_it(group: Group, page: str) -> None:
    text = (PROJECT / page).read_text(encoding="utf-8")
    found = re.search(r"```sql\n(with recursive flow.*?)```\n\n(.*?)\n\n", text, re.DOTALL)
    assert found, "the page shows no order from first contact to money"
    printed = [
        tuple(cell.strip() for cell in line.strip("|").split("|")) for line in found[2].splitlines()[2:]
    ]
    rows = group.rows(found[1])
    assert len(rows) == 10 and printed == [
        (str(step), kind, number, event, f"{at:%Y-%m-%d %H:%M:%S}", system)
        for step, kind, number, event, at, system in rows
    ]


def test_the_page_compares_figures_of_the_companies_that_its_bridges_are_about(group: Group) -> None:
    page = (group.home / "pages" / "index.html").read_text(encoding="utf-8")
    ((ordered,),) = group.rows(
        "select sum(order_amount_net_cny) from marts.fct_sales_order_line where is_booked and company_code = 'HX'"
    )
    totals = re.search(r'<table id="sales-by-month">.*?<tfoot>(.*?)</tfoot>', page, re.DOTALL)
    assert totals and f"{ordered:,.2f}" in totals[1]
    assert "The bridge does not start and end at exactly these totals" not in page
    head = re.search(r'<p class="company">(.*?)</p>', page)
    assert head and set(head[1].split(" · ")) == {
        "华信精密装备有限公司", "华辰精工股份有限公司", "Huachen Europe GmbH",
    }  # fmt: skip


def test_open_quantities_are_what_the_order_system_keeps_itself(group: Group) -> None:
    """Kingdee's own running totals: delivered (returns left aside) and invoiced; open is what an order still lacks."""
    rows = group.rows(
        """
        with delivered as (
            select sales_order_line_key, sum(ship_qty_base) as quantity
            from marts.fct_delivery_line where delivery_kind = 'delivery' group by 1
        )
        select f.order_status_code, f.order_qty_base, f.open_to_ship_qty_base, coalesce(d.quantity, 0), f.invoiced_qty_base,
            l.delivered_quantity, l.invoiced_quantity
        from marts.fct_order_to_cash f
        join raw_hc_kingdee.sales_order_line l on cast(l.line_id as text) = f.line_id
        left join delivered d using (sales_order_line_key)
        where f.company_code = 'HC'
        """
    )
    assert len(rows) > 1000
    for status, ordered, still_open, delivered, invoiced, said_delivered, said_invoiced in rows:
        assert (delivered, invoiced) == (said_delivered, said_invoiced)
        assert still_open == (ordered - delivered if status == "confirmed" else 0)


def test_every_column_of_the_marts_has_a_class_of_its_own(group: Group) -> None:
    """An unclassified column would be shown at the class of its table."""
    import json

    manifest = json.loads((group.home / "dbt" / "manifest.json").read_text(encoding="utf-8"))
    classed = {
        (node["name"], name)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "marts"
        for name, column in node["columns"].items()
        if column["config"]["meta"].get("class") in {"L1", "L2", "L3", "L4"}
    }
    there = set(
        group.rows(
            "select table_name, column_name from information_schema.columns where table_schema = 'marts'"
        )
    )
    assert there and not there - classed


def test_no_model_names_a_column_twice(group):
    assert group.columns_named_twice() == []
