"""A trading company of a few documents, kept twice as 华辰 keeps them; each planted fault is found where it was planted.

The claims and models are the shipped ones; only the marts are toys. What each fault must show (identity, what it looks
like, document, amount) is worked out by hand from the documents below.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import jinja2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tieout.tie import generate, results
from tieout.tie.cases import Finding, findings
from tieout.tie.claims import read_claim

PROJECT = Path(__file__).parents[2]
MODELS = PROJECT / "dbt_project" / "models" / "tie"
VARIABLES = {"sales_invoice_after_days": 20, "supplier_invoice_after_days": 25}
HAND_WRITTEN = ("tie_open_delivery", "tie_document_number", "tie_settlement_item")
CLAIMS = tuple(
    read_claim(PROJECT / "expectations" / "reconciliation" / f"{name}.yaml")
    for name in (
        "orders_equal_goods_sent", "warehouse_shipments_equal_stock_issues", "goods_sent_equal_sales_invoices",
        "sales_invoices_equal_voucher_revenue", "sales_invoices_equal_receivable_debits",
        "receipts_equal_receivable_credits", "supplier_payments_equal_payable_debits",
        "supplier_invoices_are_paid_once", "shop_days_equal_vouchers", "shop_refunds_equal_settlement_refunds",
        "shop_refunds_equal_goods_taken_back", "reported_output_equals_stock_taken_in", "ledger_debit_equals_credit",
        "document_numbers_have_no_gap",
    )
)  # fmt: skip
TAX = Decimal("0.13")
SOURCE = "source_system text, source_stream text, source_record text"
MONEY = "decimal(18, 2)"
TABLES = f"""
create schema marts; create schema tie;
create table marts.dim_product (product_key text, product_code text, product_name text);
create table marts.dim_customer (customer_key text, customer_code text, customer_name text);
create table marts.dim_supplier (supplier_key text, supplier_code text, supplier_name text);
create table marts.dim_account (account_key text, account_name text, is_receivable_control boolean,
    is_payable_control boolean);
insert into marts.dim_account values ('1122', '应收账款', true, false), ('6001', '主营业务收入', false, false),
    ('222102', '销项税额', false, false), ('1002', '银行存款', false, false), ('2202', '应付账款', false, true),
    ('1012', '其他货币资金', false, false);
create table marts.stg_hc_kingdee__sales_order_lines (line_id bigint, order_qty decimal(18, 4),
    stated_shipped_qty decimal(18, 4));
create table marts.fct_sales_order_line (line_id text, order_no text, product_key text, customer_key text,
    sales_order_line_key text, order_qty_base decimal(18, 4), is_booked boolean, is_goods boolean, company_code text, {SOURCE});
create table marts.int_order_lines__huachen (order_no text, line_no bigint, company_code text, {SOURCE});
create table marts.fct_delivery_line (delivery_line_key text, shipment_no text, delivery_kind text,
    sales_order_line_key text, customer_key text, product_key text, is_intercompany boolean, ship_date date,
    is_shipped boolean, ship_qty_base decimal(18, 4), shipped_amount_net_cny {MONEY}, company_code text, {SOURCE});
create table marts.fct_goods_receipt_line (shipment_no text, supplier_key text, product_key text, receipt_date date,
    receipt_qty_base decimal(18, 4), received_amount_net_cny {MONEY}, is_received boolean, company_code text, {SOURCE});
create table marts.fct_stock_move (product_key text, move_kind text, move_qty_base decimal(18, 4), move_date date,
    is_done boolean, shipment_no text, source_document text, company_code text, {SOURCE});
create table marts.fct_sales_invoice_line (invoice_no text, shipment_no text, customer_key text,
    sales_order_line_key text, invoice_date date, is_posted boolean, invoice_qty decimal(18, 4),
    invoice_amount_net_cny {MONEY}, invoice_amount_tax_cny {MONEY}, invoice_amount_gross_cny {MONEY}, company_code text, {SOURCE});
create table marts.fct_supplier_invoice_line (invoice_no text, receipt_no text, is_posted boolean, company_code text, {SOURCE});
create table marts.fct_payment (ledger_move_no text, payment_kind text, customer_key text, supplier_key text,
    invoice_no text, payment_date date, is_posted boolean, bank_amount_cny {MONEY}, company_code text, {SOURCE});
create table marts.fct_ledger_entry_line (ledger_move_no text, ledger_move_id text, entry_date date, account_key text,
    customer_key text, supplier_key text, debit_amount_cny {MONEY}, credit_amount_cny {MONEY}, revenue_amount_cny {MONEY},
    is_revenue boolean, is_closing boolean, is_cash boolean, source_document text, company_code text, {SOURCE});
create table marts.fct_platform_order_line (order_id text, order_no text, ship_date date, is_shipped boolean,
    order_amount_gross_txn {MONEY}, freight_amount_gross_txn {MONEY}, company_code text, {SOURCE});
create table marts.fct_platform_refund_line (refund_no text, product_key text, refund_date date, refund_qty decimal(18, 4),
    refund_amount_gross_txn {MONEY}, company_code text, {SOURCE});
create table marts.fct_platform_settlement (settlement_no text, first_date date, last_date date,
    refund_amount_gross_txn {MONEY}, company_code text, {SOURCE});
create table tie.tie_floor_statement (statement_kind text, document_no text, product_key text, quantity decimal(18, 4),
    company_code text, {SOURCE});
create table tie.tie_open_invoice (flow text, invoice_no text, party_key text, settled_amount_cny {MONEY},
    company_code text, {SOURCE});
"""


class Huachen:
    """Documents written into toy marts as the two departments keep them; `found` builds the shipped identities."""

    def __init__(self) -> None:
        self.con = duckdb.connect(config={"threads": 1})  # toys: more threads cost more than they bring
        self.con.execute(TABLES)
        self._rows = 0
        self._vouchers: dict[str, int] = {}

    def put(self, table: str, company: str = "HC", **values: object) -> None:
        self._rows += 1
        values |= {
            "company_code": company,
            "source_system": "toy",
            "source_stream": table.rpartition("_")[2],
            "source_record": f"{self._rows:04}",
        }
        schema = "tie" if table.startswith("tie_") else "marts"
        self.con.execute(
            f"insert into {schema}.{table} ({', '.join(values)}) values ({', '.join('?' for _ in values)})",
            list(values.values()),
        )

    def sold(
        self,
        number: int,
        customer: str,
        lines: list[tuple[str, int, Decimal]],
        day: date,
        billed: date | None,
    ):
        """An order of products, quantities and prices; sent on `day`, invoiced with its voucher on `billed`."""
        order, sent, bill = f"XS2025010{number:03}", f"CK2025010{number:03}", f"YS{day:%Y%m}{number:04}"
        entries: list[tuple[str, Decimal, Decimal, str]] = []
        for place, (product, quantity, price) in enumerate(lines, start=1):
            key = f"{order}#{place}"
            self.put("fct_sales_order_line", line_id=str(number * 10 + place), order_no=order, product_key=product,
                     customer_key=customer, sales_order_line_key=key, order_qty_base=quantity, is_booked=True, is_goods=True)  # fmt: skip
            self.put("int_order_lines__huachen", order_no=order, line_no=place)
            self.con.execute(
                "insert into marts.stg_hc_kingdee__sales_order_lines values (?, ?, ?)", [number * 10 + place, quantity, quantity]
            )  # fmt: skip
            self.put("fct_delivery_line", delivery_line_key=key, shipment_no=sent, delivery_kind="delivery",
                     sales_order_line_key=key, customer_key=customer, product_key=product, is_intercompany=False,
                     ship_date=day, is_shipped=True, ship_qty_base=quantity, shipped_amount_net_cny=quantity * price)  # fmt: skip
            self.put("fct_stock_move", product_key=product, move_kind="delivery", move_qty_base=quantity, move_date=day,
                     is_done=True, shipment_no=sent, source_document=order)  # fmt: skip
            self.put(
                "tie_floor_statement",
                statement_kind="shipped",
                document_no=sent,
                product_key=product,
                quantity=quantity,
            )
            if billed:
                net = quantity * price
                tax = (net * TAX).quantize(Decimal("0.01"))
                self.put("fct_sales_invoice_line", invoice_no=bill, shipment_no=sent, customer_key=customer,
                         sales_order_line_key=key, invoice_date=billed, is_posted=True, invoice_qty=quantity,
                         invoice_amount_net_cny=net, invoice_amount_tax_cny=tax, invoice_amount_gross_cny=net + tax)  # fmt: skip
                entries.append((product, net, tax, customer))
        if billed:
            net, tax = sum((it[1] for it in entries), Decimal(0)), sum((it[2] for it in entries), Decimal(0))
            self.voucher(
                billed,
                bill,
                [("1122", net + tax, 0, customer), ("6001", 0, net, None), ("222102", 0, tax, None)],
            )
        self.con.execute(
            "update marts.fct_stock_move set source_stream = 'delivery_line' where move_kind = 'delivery'"
        )

    def voucher(self, day: date, document: str, lines: list[tuple], supplier: str | None = None) -> None:
        series = f"记-{day:%Y%m}-"
        self._vouchers[series] = self._vouchers.get(series, 0) + 1
        number = f"{series}{self._vouchers[series]:04}"
        for account, debit, credit, party in lines:
            self.put("fct_ledger_entry_line", ledger_move_no=number, ledger_move_id=number, entry_date=day,
                     account_key=account, customer_key=party, supplier_key=supplier, debit_amount_cny=debit,
                     credit_amount_cny=credit, revenue_amount_cny=credit if account == "6001" else 0,
                     is_revenue=account == "6001", is_closing=False, is_cash=account in {"1002", "1012"},
                     source_document=document)  # fmt: skip

    def received(self, number: int, customer: str, amount: Decimal, day: date) -> None:
        name = f"SK{day:%Y%m}{number:04}"
        self.put("fct_payment", ledger_move_no=name, payment_kind="customer_receipt", customer_key=customer,
                 invoice_no="-", payment_date=day, is_posted=True, bank_amount_cny=amount)  # fmt: skip
        self.voucher(day, name, [("1002", amount, 0, None), ("1122", 0, amount, customer)])

    def paid(self, number: int, supplier: str, invoice: str, amount: Decimal, day: date) -> None:
        name = f"FK{day:%Y%m}{number:04}"
        self.put("fct_payment", ledger_move_no=name, payment_kind="supplier_payment", supplier_key=supplier,
                 invoice_no=invoice, payment_date=day, is_posted=True, bank_amount_cny=-amount)  # fmt: skip
        self.put(
            "tie_open_invoice",
            flow="purchase",
            invoice_no=invoice,
            party_key=supplier,
            settled_amount_cny=amount,
        )
        self.voucher(day, name, [("2202", amount, 0, None), ("1002", 0, amount, None)], supplier)

    def shop_day(self, day: date, orders: list[Decimal], refunds: list[Decimal]) -> None:
        for place, amount in enumerate(orders):
            name = f"T{day:%y%m%d}{place:03}"
            self.put("fct_platform_order_line", order_id=name, order_no=name, ship_date=day, is_shipped=True,
                     order_amount_gross_txn=amount, freight_amount_gross_txn=0)  # fmt: skip
        for place, amount in enumerate(refunds):
            self.put("fct_platform_refund_line", refund_no=f"RF{day:%y%m%d}{place}", product_key="P1", refund_date=day,
                     refund_qty=1, refund_amount_gross_txn=amount)  # fmt: skip
            self.put("fct_stock_move", product_key="P1", move_kind="return", move_qty_base=1, move_date=day, is_done=True,
                     shipment_no=f"DST{day:%y%m%d}{place}", source_document="-")  # fmt: skip
        self.con.execute(
            "update marts.fct_stock_move set source_stream = 'other_receipt_line' where move_kind = 'return'"
        )
        gross = sum(orders, Decimal(0)) - sum(refunds, Decimal(0))
        net = (gross / (1 + TAX)).quantize(Decimal("0.01"))
        self.voucher(
            day,
            f"DS{day:%Y%m%d}",
            [("1012", gross, 0, None), ("6001", 0, net, None), ("222102", 0, gross - net, None)],
        )
        self.put("fct_platform_settlement", settlement_no=f"JS{day:%Y%m%d}", first_date=day, last_date=day,
                 refund_amount_gross_txn=sum(refunds, Decimal(0)))  # fmt: skip

    def produced(self, number: int, product: str, quantity: int, day: date) -> None:
        name = f"RK2025010{number:03}"
        self.put(
            "tie_floor_statement",
            statement_kind="produced",
            document_no=name,
            product_key=product,
            quantity=quantity,
        )
        self.put("fct_stock_move", product_key=product, move_kind="production_output", move_qty_base=quantity,
                 move_date=day, is_done=True, shipment_no=name, source_document=f"MO{number}")  # fmt: skip

    def tie(self) -> dict[str, results.IdentityResult]:
        def relation(name: str) -> str:
            return f"{'tie' if name.startswith(('tie_', 'identity_')) else 'marts'}.{name}"

        for name in HAND_WRITTEN:
            sql = jinja2.Template((MODELS / f"{name}.sql").read_text("utf-8")).render(
                ref=relation, var=VARIABLES.__getitem__
            )
            self.con.execute(f"create or replace table tie.{name} as {sql}")
        for name, sql in [
            *((claim.model, generate.identity_sql(claim)) for claim in CLAIMS),
            ("identity_break", generate.break_sql(CLAIMS)),
            ("identity_result", generate.result_sql(CLAIMS)),
        ]:
            self.con.execute(f"create or replace table tie.{name} as {generate.resolved(sql, relation)}")
        return {result.identity: result for result in results.identity_results(self.con)}

    def found(self) -> dict[tuple[str, str, str | None], Finding]:
        self.tie()
        return {(it.identity, it.suspect, it.document): it for it in findings(self.con)}


@pytest.fixture
def huachen() -> Iterator[Huachen]:
    """Three orders (the last one sent four days before the end and not invoiced yet), money both ways, a shop day."""
    made = Huachen()
    made.sold(
        1,
        "A",
        [("P1", 5, Decimal("100.00")), ("P2", 2, Decimal("36.50"))],
        date(2025, 1, 10),
        date(2025, 1, 14),
    )
    made.sold(2, "B", [("P2", 4, Decimal("36.50"))], date(2025, 1, 20), date(2025, 1, 29))
    made.sold(3, "A", [("P1", 1, Decimal("100.00"))], date(2025, 2, 24), None)
    made.received(1, "A", Decimal("647.49"), date(2025, 2, 3))
    made.received(2, "B", Decimal("164.98"), date(2025, 2, 4))
    made.paid(1, "S", "YF2025010001", Decimal("90.40"), date(2025, 2, 5))
    made.shop_day(date(2025, 2, 6), [Decimal("11.30"), Decimal("22.60"), Decimal("56.50")], [Decimal("5.65")])
    made.produced(1, "P1", 9, date(2025, 2, 27))
    made.produced(2, "P1", 3, date(2025, 2, 28))
    yield made
    made.con.close()


def test_without_a_fault_everything_holds_but_what_is_simply_open(huachen):
    said = huachen.tie()

    assert {name: it.unexplained for name, it in said.items() if it.unexplained} == {}
    assert {name for name, it in said.items() if it.status == "explained"} == {
        "goods_sent_equal_sales_invoices",  # the order of 24 February
        "shop_days_equal_vouchers",  # the refund
    }
    assert not huachen.found()
    sent = said["goods_sent_equal_sales_invoices"]
    assert (sent.left_total, sent.explained, sent.right_total) == (Decimal(819), Decimal(-100), Decimal(719))


# Kind of fault → what is changed, and every (identity, looks like, document) with its amount that must be found.
FAULTS = {
    "lost-row": (
        "delete from marts.fct_sales_order_line where sales_order_line_key = 'XS2025010001#2'",
        {("orders_equal_goods_sent", "missing_left", "XS2025010001"): "2"},
    ),
    "lost-row, the first of two": (
        """delete from marts.fct_sales_order_line where sales_order_line_key = 'XS2025010001#1';
        delete from marts.int_order_lines__huachen where order_no = 'XS2025010001' and line_no = 1""",
        {
            ("orders_equal_goods_sent", "missing_left", "XS2025010001"): "5",
            ("document_numbers_have_no_gap", "missing_left", "XS2025010001-0001"): "1",
        },
    ),
    "delivery-without-invoice": (
        """delete from marts.fct_sales_invoice_line where invoice_no = 'YS2025010001';
        delete from marts.fct_ledger_entry_line where source_document = 'YS2025010001'""",
        {
            ("goods_sent_equal_sales_invoices", "missing_right", "CK2025010001"): "-573.00",
            ("document_numbers_have_no_gap", "missing_left", "YS2025010001"): "1",
            ("document_numbers_have_no_gap", "missing_left", "记-202501-0001"): "1",
        },
    ),
    "voucher-missing": (
        "delete from marts.fct_ledger_entry_line where source_document = 'YS2025010001'",
        {
            ("sales_invoices_equal_voucher_revenue", "missing_right", "YS2025010001"): "-573.00",
            ("sales_invoices_equal_receivable_debits", "missing_right", "YS2025010001"): "-647.49",
            ("document_numbers_have_no_gap", "missing_left", "记-202501-0001"): "1",
        },
    ),
    "unbalanced-voucher": (
        """update marts.fct_ledger_entry_line set debit_amount_cny = 61.98
        where source_document = 'SK2025020002' and account_key = '1002'""",
        {("ledger_debit_equals_credit", "amount", "记-202502-0002"): "103.00"},
    ),
    "shop-order-missing": (
        """update marts.fct_ledger_entry_line set debit_amount_cny = debit_amount_cny - 22.60
            where source_document = 'DS20250206' and account_key = '1012';
        update marts.fct_ledger_entry_line set credit_amount_cny = credit_amount_cny - 20,
            revenue_amount_cny = revenue_amount_cny - 20 where source_document = 'DS20250206' and account_key = '6001';
        update marts.fct_ledger_entry_line set credit_amount_cny = credit_amount_cny - 2.60
            where source_document = 'DS20250206' and account_key = '222102'""",
        {("shop_days_equal_vouchers", "missing_right", "DS20250206"): "-22.60"},
    ),
    "refund-lost": (
        "delete from marts.fct_platform_refund_line",
        {
            ("shop_refunds_equal_settlement_refunds", "missing_left", None): "5.65",
            ("shop_refunds_equal_goods_taken_back", "missing_left", "2025-02-06"): "1",
            ("shop_days_equal_vouchers", "amount", "DS20250206"): "-5.65",
        },
    ),
    "paid-twice": (
        """insert into marts.fct_payment select * replace ('FK2025020002' as ledger_move_no, '0999' as source_record)
        from marts.fct_payment where ledger_move_no = 'FK2025020001'""",
        {
            ("supplier_payments_equal_payable_debits", "missing_right", "FK2025020002"): "-90.40",
            ("supplier_invoices_are_paid_once", "duplicate", "YF2025010001"): "-90.40",
        },
    ),
    "receipt-wrong-customer": (
        "update marts.fct_payment set customer_key = 'B' where ledger_move_no = 'SK2025020001'",
        {("receipts_equal_receivable_credits", "mapping", "SK2025020001"): "647.49"},
    ),
    "wrong-amount": (
        """update marts.fct_sales_invoice_line set invoice_amount_net_cny = 164.00, invoice_amount_tax_cny = 21.32,
            invoice_amount_gross_cny = 185.32 where invoice_no = 'YS2025010002'""",
        {
            ("sales_invoices_equal_voucher_revenue", "amount", "YS2025010002"): "-18.00",
            ("sales_invoices_equal_receivable_debits", "amount", "YS2025010002"): "-20.34",
            ("goods_sent_equal_sales_invoices", "amount", "CK2025010002"): "18.00",
        },
    ),
    "gross-as-net": (
        """update marts.fct_sales_invoice_line set invoice_amount_net_cny = invoice_amount_gross_cny,
            invoice_amount_gross_cny = invoice_amount_gross_cny + invoice_amount_tax_cny
        where sales_order_line_key = 'XS2025010001#1'""",
        {
            ("sales_invoices_equal_voucher_revenue", "tax", "YS2025010001"): "-65.00",
            ("sales_invoices_equal_receivable_debits", "tax", "YS2025010001"): "-65.00",
            ("goods_sent_equal_sales_invoices", "tax", "CK2025010001"): "65.00",
        },
    ),
    "cut-off": (
        "update marts.fct_sales_invoice_line set invoice_date = date '2025-02-02' where invoice_no = 'YS2025010002'",
        {
            ("sales_invoices_equal_voucher_revenue", "cutoff", "YS2025010002"): "146.00",
            ("sales_invoices_equal_receivable_debits", "cutoff", "YS2025010002"): "164.98",
        },
    ),
    "wrong-quantity": (
        """update marts.fct_stock_move set move_qty_base = 40 where shipment_no = 'CK2025010002';
        update marts.fct_delivery_line set ship_qty_base = 40, shipped_amount_net_cny = 1460
        where shipment_no = 'CK2025010002'""",
        {
            ("orders_equal_goods_sent", "quantity", "XS2025010002"): "36",
            ("warehouse_shipments_equal_stock_issues", "quantity", "CK2025010002"): "36",
            ("goods_sent_equal_sales_invoices", "amount", "CK2025010002"): "-1314.00",
        },
    ),
    "move-missing": (
        "delete from marts.fct_stock_move where shipment_no = 'RK2025010001'",
        {("reported_output_equals_stock_taken_in", "missing_right", "RK2025010001"): "-9"},
    ),
    "wrong-product": (
        "update marts.fct_stock_move set product_key = 'P1' where shipment_no = 'CK2025010002'",
        {
            ("orders_equal_goods_sent", "mapping", "XS2025010002"): "4",
            ("warehouse_shipments_equal_stock_issues", "mapping", "CK2025010002"): "4",
        },
    ),
    "rounding": (
        """update marts.fct_sales_invoice_line set invoice_amount_tax_cny = invoice_amount_tax_cny + 0.01,
            invoice_amount_gross_cny = invoice_amount_gross_cny + 0.01 where sales_order_line_key = 'XS2025010002#1'""",
        {("sales_invoices_equal_receivable_debits", "rounding", "YS2025010002"): "-0.01"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAULTS)
def test_a_planted_fault_shows_where_it_was_planted_and_nowhere_else(huachen, kind):
    change, expected = FAULTS[kind]
    huachen.con.execute(change)

    found = huachen.found()

    assert {key: abs(it.amount) for key, it in found.items()} == {
        key: abs(Decimal(amount)) for key, amount in expected.items()
    }
    # a document that stands in the wrong group is short in one and over in the other
    moved = [it for it in findings(huachen.con) if it.suspect in {"cutoff", "mapping"}]
    assert sum((it.amount for it in moved), Decimal(0)) == 0
    one_sided = {key: it.amount for key, it in found.items() if it.suspect not in {"cutoff", "mapping"}}
    assert one_sided == {key: Decimal(expected[key]) for key in one_sided}


def test_the_order_left_out_of_the_days_voucher_is_named_by_its_row(huachen):
    huachen.con.execute(FAULTS["shop-order-missing"][0])
    [(row,)] = huachen.con.execute(
        "select source_record from marts.fct_platform_order_line where order_amount_gross_txn = 22.60"
    ).fetchall()

    found = huachen.found()["shop_days_equal_vouchers", "missing_right", "DS20250206"]

    assert found.evidence == (f"toy/line/{row}",)


def test_an_old_delivery_without_invoice_is_no_longer_simply_open(huachen):
    """Sent on 24 February it is open on the 28th; when stock goes on for three weeks more it was forgotten."""
    huachen.produced(3, "P1", 1, date(2025, 3, 17))

    found = huachen.found()

    assert found["goods_sent_equal_sales_invoices", "missing_right", "CK2025010003"].amount == Decimal(-100)


def test_an_identity_of_a_company_that_keeps_no_books_here_is_silent(huachen):
    """Switched off, the company's identities compare nothing; with books and without rows they are broken."""
    for table in ("fct_payment", "fct_platform_order_line", "fct_platform_refund_line"):
        huachen.con.execute(f"delete from marts.{table}")
    huachen.con.execute("delete from tie.tie_open_invoice")
    assert huachen.tie()["supplier_invoices_are_paid_once"].status == "broken"

    huachen.con.execute("delete from marts.fct_ledger_entry_line")
    silent = huachen.tie()["supplier_invoices_are_paid_once"]
    assert (silent.status, silent.group_count, silent.is_here) == ("holds", 0, False)


DAYS = st.integers(0, 50).map(lambda days: date(2025, 1, 2) + timedelta(days=days))
PRICES = st.integers(1, 10_000_000).map(lambda cents: Decimal(cents) / 100)
ORDERS = st.lists(
    st.tuples(
        st.sampled_from("AB"),
        st.lists(st.tuples(st.sampled_from(["P1", "P2", "P3"]), st.integers(1, 999), PRICES), min_size=1, max_size=3,
                 unique_by=lambda line: line[0]),
        DAYS, st.integers(0, 17),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(orders=ORDERS, shop=st.lists(PRICES, min_size=1, max_size=5), data=st.data())
def test_random_documents_without_a_fault_are_explained_to_the_cent(orders, shop, data):
    made = Huachen()
    last = max(day for _, _, day, _ in orders) + timedelta(days=17)
    made.produced(1, "P1", 1, last)
    net = Decimal(0)
    for number, (customer, lines, day, wait) in enumerate(orders, start=1):
        # nothing is forgotten: what is not invoiced yet was sent within the last days
        billed = None if (last - day).days <= 17 and data.draw(st.booleans()) else day + timedelta(days=wait)
        made.sold(number, customer, lines, day, billed)
        net += sum((quantity * price for _, quantity, price in lines), Decimal(0)) if billed else 0
    made.shop_day(last, shop, shop[:1])
    made.received(1, "A", shop[0], last)
    made.paid(1, "S", "YF2025010001", shop[0], last)

    said = made.tie()

    numbered = {"document_numbers_have_no_gap"}  # only some of the orders have an invoice
    assert {name for name, it in said.items() if it.unexplained or it.groups_broken} <= numbered
    revenue = said["sales_invoices_equal_voucher_revenue"]
    if net:
        assert (revenue.left_total, revenue.right_total) == (net, net)
    assert said["goods_sent_equal_sales_invoices"].right_total == net
    made.con.close()
