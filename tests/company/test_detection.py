"""What contradicts is a case: nothing on the clean group, and exactly what is done to one row of a copy of it.

Rows of raw tables are changed by hand, each for one rule; the models' own compiled SQL then reads them. The scorecard
over all kinds, whose key the fault kit writes, is nightly.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tests.company.conftest import Group
from tieout.engine import connect
from tieout.settings import PROJECT

pytestmark = [pytest.mark.company, pytest.mark.slow]

D = Decimal
BILLS, ORDERS = "raw_hc_kingdee.receivable_line", "raw_hc_kingdee.sales_order_line"
CHANGED = (
    BILLS, ORDERS, "raw_hc_kingdee.gl_voucher_line", "raw_hc_kingdee.payment_line", "raw_hc_feishu.payment_approval",
    "raw_hc_u8.goods_receipt_line", "raw_hc_u8.delivery_line", "raw_hc_u8.other_issue", "raw_hc_shop.refund",
)  # fmt: skip
# A quiet invoice of one line, sent and paid, in the middle of the history: rules are planted on it one at a time.
PLAIN = f"""
    select bill_no, line_id, source_no, order_no, amount_net, tax_amount, amount_gross, bill_date
    from {BILLS}
    where not _is_deleted and tax_amount > 0 and bill_date between '2025-03-10' and '2025-03-20'
    and bill_id in (select bill_id from {BILLS} group by 1 having count(*) = 1)
    order by line_id limit 1
"""


@pytest.fixture(scope="module")
def copy(
    group: Group, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """The group's warehouse, to be written into, and the compiled models."""
    file = tmp_path_factory.mktemp("contradictions") / "warehouse.duckdb"
    shutil.copy(group.home / "warehouse.duckdb", file)
    with connect(file) as con:
        for name in CHANGED:  # raw tables are views; what a test changes has to be a table
            con.execute(f"create temp table held as from {name}")
            con.execute(f"drop view {name}")
            con.execute(f"create table {name} as from held")
            con.execute("drop table held")
        yield con, group.home / "dbt" / "compiled" / "tieout" / "models" / "intermediate" / "huachen"


@pytest.fixture
def con(copy: tuple[duckdb.DuckDBPyConnection, Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    copy[0].execute("begin")
    yield copy[0]
    copy[0].execute("rollback")


@pytest.fixture
def said(copy: tuple[duckdb.DuckDBPyConnection, Path]):
    """The cases of one model as (kind, subject, amount)."""

    def cases(topic: str) -> list[tuple[str, str, Decimal | None]]:
        sql = (copy[1] / f"int_{topic}_contradictions__huachen.sql").read_text("utf-8")
        rows = (
            copy[0]
            .execute(f"select case_kind, subject, cast(amount_txn as decimal(18, 2)) from ({sql})")
            .fetchall()
        )
        return sorted(rows)

    return cases


def test_no_document_of_the_clean_group_contradicts_another(group: Group, said) -> None:
    assert group.value("select count(*) from marts.fct_data_case where currency_code is not null") == 0
    assert [said(topic) for topic in ("order", "finance", "stock", "shop")] == [[], [], [], []]


@pytest.mark.parametrize(
    ("change", "kind", "amount"),
    [
        ("bill_date = '2025-04-01'", "invoice_dated_into_another_month", "gross"),
        ("amount_net = amount_gross", "invoice_net_holds_gross", "tax"),
        ("bill_date = '2025-02-01'", "invoice_dated_before_its_delivery", "gross"),
        (
            "tax_amount = tax_amount + 0.01, amount_gross = amount_gross + 0.01",
            "invoice_tax_off_by_rounding",
            "cent",
        ),
    ],
)
def test_an_invoice_that_contradicts_is_a_case_with_its_amount(con, said, change, kind, amount) -> None:
    no, line, _, _, _, tax, gross, _ = con.execute(PLAIN).fetchone()

    con.execute(f"update {BILLS} set {change} where line_id = ?", [line])

    expected = {"gross": gross, "tax": tax, "cent": D("0.01")}[amount]
    assert said("finance") == [(kind, no, D(expected).quantize(D("0.01")))]


def test_a_lost_voucher_and_a_lost_delivery_line_name_what_is_left(con, said) -> None:
    no, _, shipment, _, _, _, gross, _ = con.execute(PLAIN).fetchone()

    con.execute("delete from raw_hc_kingdee.gl_voucher_line where source_no = ?", [no])
    assert said("finance") == [("invoice_without_voucher", no, D(gross).quantize(D("0.01")))]

    con.execute(f"delete from {BILLS} where bill_no = ?", [no])
    assert said("finance") == []
    assert said("stock") == [("delivery_never_invoiced", shipment, D(gross).quantize(D("0.01")))]


def test_the_number_of_a_lost_voucher_is_named_where_its_neighbours_tell_whose_it_was(con, copy) -> None:
    held = {
        (str(day)[:7].replace("-", ""), number): source or ""
        for day, number, source in con.execute(
            "select distinct voucher_date, voucher_no, source_no from raw_hc_kingdee.gl_voucher_line"
        ).fetchall()
    }

    def place(source: str | None) -> int:
        return int(source[2:]) if source and source.startswith("YS") else -9

    (month, number), lost = next(
        (key, source)
        for key, source in sorted(held.items())
        if place(held.get((key[0], key[1] - 1))) + 1
        == place(source)
        == place(held.get((key[0], key[1] + 1))) - 1
    )
    con.execute("delete from raw_hc_kingdee.gl_voucher_line where source_no = ?", [lost])

    sql = (copy[1] / "int_finance_contradictions__huachen.sql").read_text("utf-8")
    [(subject, detail)] = con.execute(f"select subject, detail from ({sql})").fetchall()

    assert subject == lost
    assert detail.endswith(f"; 记-{month}-{number:04} is missing among the vouchers")


def test_one_order_of_another_customer_and_all_orders_of_one_are_told_apart(con, said) -> None:
    order, customer = con.execute(
        f"""select order_no, customer_code from {ORDERS} where order_no in (select order_no from {BILLS})
        and currency_code = 'CNY' and tax_percent = 13 order by line_id limit 1"""
    ).fetchone()
    (other,) = con.execute(
        f"""select customer_code from {ORDERS} where customer_code <> ? and currency_code = 'CNY' and tax_percent = 13
        order by line_id limit 1""",
        [customer],
    ).fetchone()
    (amount,) = con.execute(f"select sum(amount_gross) from {ORDERS} where order_no = ?", [order]).fetchone()

    con.execute(f"update {ORDERS} set customer_code = ? where order_no = ?", [other, order])
    assert said("order") == [("order_under_another_customer", order, amount.quantize(D("0.01")))]

    con.execute(f"update {ORDERS} set customer_code = ? where customer_code = ?", [other, customer])
    assert {kind for kind, _, _ in said("order")} == {"customer_under_the_code_of_another"}


def test_an_invoice_lost_before_it_is_overdue_is_known_by_its_number(con, said) -> None:
    """Nobody waits twenty days for it: the numbers before and after it are there, and one delivery lies between theirs."""
    bill, shipment, gross = con.execute(
        f"""select bill_no, any_value(source_no), sum(amount_gross) from {BILLS}
        where bill_date between '2025-12-24' and '2025-12-29' and bill_no like 'YS2%' and source_no like 'CK%'
        group by 1 having count(*) = 1 order by 1 limit 1"""
    ).fetchone()

    con.execute(f"delete from {BILLS} where bill_no = ?", [bill])

    assert said("stock") == [("delivery_never_invoiced", shipment, D(gross).quantize(D("0.01")))]


def test_of_two_lost_invoices_each_delivery_is_named_once(con, said) -> None:
    """The older delivery would suit the younger number as well; it is sure of its own."""
    lost = con.execute(
        f"""select bill_no, any_value(source_no), sum(amount_gross) from {BILLS}
        where bill_no like 'YS2%' and source_no like 'CK%' and bill_date between '2025-11-10' and '2025-12-12'
        group by 1 having count(*) = 1 order by 1"""
    ).fetchall()
    lost = [lost[0], lost[-1]]

    for bill, _, _ in lost:
        con.execute(f"delete from {BILLS} where bill_no = ?", [bill])

    assert said("stock") == sorted(
        ("delivery_never_invoiced", shipment, D(gross).quantize(D("0.01"))) for _, shipment, gross in lost
    )


def test_goods_and_quantity_of_one_line_are_at_stake_once(con, said) -> None:
    line, cost, other = con.execute(
        """select l.line_id, l.cost, o.item_code from raw_hc_u8.delivery_line as l, raw_hc_u8.delivery_line as o
        where l.quantity > 0 and o.item_code <> l.item_code order by l.line_id, o.line_id limit 1"""
    ).fetchone()

    con.execute(
        "update raw_hc_u8.delivery_line set item_code = ?, quantity = quantity * 10, cost = cost * 10 where line_id = ?",
        [other, line],
    )

    assert {(kind, amount) for kind, _, amount in said("stock")} == {
        ("delivery_of_another_product", cost.quantize(D("0.01"))),
        ("delivery_of_another_quantity", (9 * cost).quantize(D("0.01"))),
    }


def test_the_only_order_of_a_customer_under_another_code_makes_two_customers_one(con, said) -> None:
    (customer,) = con.execute(
        f"""select customer_code from {ORDERS} where order_no in (select order_no from {BILLS})
        group by 1 order by count(distinct order_no), 1 limit 1"""
    ).fetchone()
    (order,) = con.execute(
        f"select min(order_no) from {ORDERS} where customer_code = ? and order_no in (select order_no from {BILLS})",
        [customer],
    ).fetchone()
    con.execute(f"delete from {ORDERS} where customer_code = ? and order_no <> ?", [customer, order])
    (other,) = con.execute(
        f"""select customer_code from {ORDERS} where customer_code <> ? and currency_code = 'CNY' and tax_percent = 13
        order by line_id limit 1""",
        [customer],
    ).fetchone()

    con.execute(f"update {ORDERS} set customer_code = ? where order_no = ?", [other, order])

    assert ("customer_under_the_code_of_another", order) in {
        (kind, subject) for kind, subject, _ in said("order")
    }


def test_orders_in_another_currency_or_at_another_rate_of_tax(con, said) -> None:
    order, line, net, tax = con.execute(
        f"""select order_no, line_id, amount_net, tax_amount from {ORDERS} where tax_percent = 13
        and order_no in (select order_no from {ORDERS} group by 1 having count(*) = 1)
        and order_no in (select order_no from {BILLS}) order by line_id limit 1"""
    ).fetchone()
    wrong = (net * 6 / 100).quantize(D("0.01"))

    con.execute(f"update {ORDERS} set tax_percent = 6, tax_amount = ? where line_id = ?", [wrong, line])
    assert ("order_taxed_at_another_rate", order, (tax - wrong).quantize(D("0.01"))) in said("order")

    con.execute(f"update {ORDERS} set currency_code = 'USD' where line_id = ?", [line])
    assert {kind for kind, subject, _ in said("order") if subject == order} == {
        "order_taxed_at_another_rate",
        "order_in_another_currency",
    }


def test_payments_twice_early_or_without_approval(con, said) -> None:
    line, amount = con.execute(
        """select line_id, settled_amount from raw_hc_kingdee.payment_line
        where payment_amount < 10000 and payment_date < '2025-06-01' order by line_id limit 1"""
    ).fetchone()
    con.execute(
        """insert into raw_hc_kingdee.payment_line
        select * replace (900001 as line_id, 900001 as payment_id, 'FK-TWICE' as payment_no, payment_date + 3 as payment_date)
        from raw_hc_kingdee.payment_line where line_id = ?""",
        [line],
    )
    assert said("finance") == [("supplier_invoice_paid_twice", "FK-TWICE", amount.quantize(D("0.01")))]
    con.execute("delete from raw_hc_kingdee.payment_line where line_id = 900001")

    large, total = con.execute(
        "select payment_no, payment_amount from raw_hc_kingdee.payment_line where payment_amount > 10000 order by line_id limit 1"
    ).fetchone()
    con.execute(
        "update raw_hc_kingdee.payment_line set payment_date = '2024-01-05' where payment_no = ?", [large]
    )
    assert said("finance") == [("payment_before_approval", large, total.quantize(D("0.01")))]
    con.execute("delete from raw_hc_feishu.payment_approval where contains(form, ?)", [large])
    assert said("finance") == [("payment_without_approval", large, total.quantize(D("0.01")))]


def test_stock_in_another_unit_quantity_or_clock(con, said) -> None:
    line, cost = con.execute(
        """select l.line_id, l.cost from raw_hc_u8.goods_receipt_line as l
        where pack_quantity is not null and pack_quantity <> quantity order by l.line_id limit 1"""
    ).fetchone()
    con.execute("update raw_hc_u8.goods_receipt_line set quantity = pack_quantity where line_id = ?", [line])
    [(kind, _, amount)] = said("stock")
    assert (kind, amount) == ("receipt_in_another_unit", cost.quantize(D("0.01")))

    document, number = con.execute(
        "select document_id, document_no from raw_hc_u8.other_issue where business_type = '电商出库' order by 1 limit 1"
    ).fetchone()
    con.execute(
        "update raw_hc_u8.other_issue set made_at = made_at - interval 8 hours where document_id = ?",
        [document],
    )
    assert [(kind, subject) for kind, subject, _ in said("shop")] == [("stock_document_timed_in_utc", number)]
    con.execute(
        "update raw_hc_u8.other_issue set made_at = made_at - interval 1 hours where document_id = ?",
        [document],
    )
    assert [kind for kind, _, _ in said("shop")] == ["shop_clock_was_wrong"]


def test_a_lost_refund_and_a_voucher_without_one_order(con, said) -> None:
    refund, amount = con.execute("select as_id, refund from raw_hc_shop.refund order by 1 limit 1").fetchone()
    con.execute("delete from raw_hc_shop.refund where as_id = ?", [refund])
    [(kind, _, said_amount)] = said("shop")
    assert (kind, said_amount) == ("refund_lost", amount)

    line, voucher = con.execute(
        """select line_id, source_no from raw_hc_kingdee.gl_voucher_line
        where source_no = 'DS20240105' and explanation = '电商销售' and debit > 0"""
    ).fetchone()
    con.execute("update raw_hc_kingdee.gl_voucher_line set debit = debit - 100 where line_id = ?", [line])
    assert ("shop_order_not_in_voucher", voucher, D(100)) in said("shop")


@pytest.mark.nightly
def test_every_kind_of_fault_is_found_with_its_cause_and_amount(tmp_path: Path) -> None:
    """The whole examination, with one trial: about four minutes alone."""
    done = subprocess.run(
        [sys.executable, "-m", "tieout.cli", "prove", "detection", "--seeds", "1", "--no-dense", "--no-overlap", "--json"],
        env={**os.environ, "PYTHONPATH": str(PROJECT), "TIEOUT_HOME": str(tmp_path / "home")},
        capture_output=True, text=True, timeout=1800,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    said = json.loads(done.stdout)

    assert {item["kind"]: item["found"] for item in said["kinds"]} == {
        item["kind"]: 1 for item in said["kinds"]
    }
    assert len(said["kinds"]) == 30
    assert said["false_alarms"] == []
    assert Decimal(said["cause_right"].split()[0]) >= 95
    # faults of another seed, which were never planted, are not found
    assert Decimal(said["control_recall"].split()[0]) <= 10
    # one cause is one case: a renamed field alone has none, since its batches wait
    assert said["faults_told_in_one_case"] == "29 of 29"
    assert said["cases_of_one_fault"] == "29 of 29"
    assert not (tmp_path / "home").exists()
