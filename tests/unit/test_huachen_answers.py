"""The answer key of 华辰精工 a second time, from what its systems hold: SQL over the stores, the files read as files.

Nothing here looks at the history. What the key says of a month must be what that month's rows add up to, in every
system that holds it, and the systems must agree with each other where they tell of the same thing.
"""

from __future__ import annotations

import csv
import filecmp
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from sandbox.huachen.build import build
from sandbox.huachen.systems import mes
from sandbox.huachen.world import Spelling, world
from sandbox.store import write_store

ZERO, CENT = Decimal(0), Decimal("0.01")
# What U8 calls a stock movement → what the key calls it.
KINDS = {
    "普通采购": "receipt", "成品入库": "output", "期初": "opening", "调拨入库": "transfer_in", "盘盈入库": "count",
    "电商退货": "shop_return", "普通销售": "delivery", "销售退货": "return", "领料": "issue", "调拨出库": "transfer_out",
    "盘亏出库": "count", "电商出库": "shop",
}  # fmt: skip
STOCK = {"01": 1, "08": 1, "10": 1, "09": -1, "11": -1, "32": -1}  # voucher → in or out

# (module, measure) → system and the SQL that gives period, currency and value.
CLAIMS = {
    ("sales", "order_net"): ("kingdee", 'select substr(FDate,1,7), "FSettleCurrId.FNumber", total_of(FAmount) from SAL_SaleOrder group by 1,2'),
    ("sales", "order_gross"): ("kingdee", 'select substr(FDate,1,7), "FSettleCurrId.FNumber", total_of(FAllAmount) from SAL_SaleOrder group by 1,2'),
    ("sales", "order_lines"): ("kingdee", 'select substr(FDate,1,7), "FSettleCurrId.FNumber", count(*) from SAL_SaleOrder group by 1,2'),
    ("receivables", "invoice_net"): ("kingdee", 'select substr(FDATE,1,7), "FCURRENCYID.FNumber", total_of(FNoTaxAmountFor_D) from AR_receivable group by 1,2'),
    ("receivables", "invoice_gross"): ("kingdee", 'select substr(FDATE,1,7), "FCURRENCYID.FNumber", total_of(FALLAMOUNTFOR_D) from AR_receivable group by 1,2'),
    ("receivables", "receipts"): ("kingdee", 'select substr(FDATE,1,7), "FCURRENCYID.FNumber", total_of(FREALRECAMOUNT_S) from AR_RECEIVEBILL group by 1,2'),
    ("payables", "invoice_gross"): ("kingdee", 'select substr(FDATE,1,7), "FCURRENCYID.FNumber", total_of(FALLAMOUNTFOR_D) from AP_Payable group by 1,2'),
    ("payables", "payments"): ("kingdee", 'select substr(FDATE,1,7), "FCURRENCYID.FNumber", total_of(FREALPAYAMOUNT_S) from AP_PAYBILL group by 1,2'),
    ("sales_hce", "order_net"): ("sap", "select substr(SalesOrderDate,1,7), h.TransactionCurrency, total_of(NetAmount) from [API_SALES_ORDER_SRV/A_SalesOrder] h join [API_SALES_ORDER_SRV/A_SalesOrderItem] i using (SalesOrder) group by 1,2"),
    ("sales_hce", "order_gross"): ("sap", "select substr(SalesOrderDate,1,7), h.TransactionCurrency, total_of(plus(NetAmount, TaxAmount)) from [API_SALES_ORDER_SRV/A_SalesOrder] h join [API_SALES_ORDER_SRV/A_SalesOrderItem] i using (SalesOrder) group by 1,2"),
    ("sales_hce", "order_lines"): ("sap", "select substr(SalesOrderDate,1,7), h.TransactionCurrency, count(*) from [API_SALES_ORDER_SRV/A_SalesOrder] h join [API_SALES_ORDER_SRV/A_SalesOrderItem] i using (SalesOrder) group by 1,2"),
    ("receivables_hce", "invoice_net"): ("sap", "select substr(BillingDocumentDate,1,7), TransactionCurrency, total_of(signed(BillingDocumentType = 'G2', TotalNetAmount)) from [API_BILLING_DOCUMENT_SRV/A_BillingDocument] group by 1,2"),
    ("receivables_hce", "invoice_gross"): ("sap", "select substr(BillingDocumentDate,1,7), TransactionCurrency, total_of(signed(BillingDocumentType = 'G2', TotalGrossAmount)) from [API_BILLING_DOCUMENT_SRV/A_BillingDocument] group by 1,2"),
    ("receivables_hce", "receipts"): ("sap", "select substr(PostingDate,1,7), CompanyCodeCurrency, total_of(AmountInCompanyCodeCurrency) from [API_OPLACCTGDOCITEMCUBE_SRV/A_OperationalAcctgDocItemCube] where AccountingDocumentType = 'DZ' and GLAccount = '113100' group by 1,2"),
    ("purchasing", "order_net"): ("u8", "select substr(dPODate,1,7), 'CNY', total_of(iMoney) from PO_Pomain join PO_Podetails using (POID) where cexch_name = '人民币' group by 1"),
    ("shop", "sent_gross"): ("shop", "select substr(datetime(send_date,'+8 hours'),1,7), 'CNY', total_of(pay_amount) from orders where send_date is not null group by 1"),
    ("shop", "refunds"): ("shop", "select substr(datetime(modified,'+8 hours'),1,7), 'CNY', total_of(refund) from refunds where status = 'Confirmed' group by 1"),
    ("shop", "settled_net"): ("shop", "select substr(pay_date,1,7), 'CNY', total_of(pay_amount) from settlements group by 1"),
    ("shop", "fees"): ("kingdee", """select substr(FDate,1,7), 'CNY', total_of(FDEBIT) from GL_VOUCHER where FEXPLANATION = '平台服务费' and "FACCOUNTID.FNumber" = '6601' group by 1"""),
    ("spare_parts", "order_gross"): ("yonbip", "select substr(vouchdate,1,7), currency_code, total_of(listOriSum) from [scm/purchaseorder] group by 1,2"),
    ("hr", "attendance_days"): ("dingtalk", "select substr(workDate,1,7), '-', count(distinct userId || workDate) from attendance group by 1"),
    ("production", "good"): ("mes", "select substr(datetime(reported_at,'+8 hours'),1,7), '-', total_of(good_qty) from mes_output group by 1"),
    ("production", "scrap"): ("mes", "select substr(datetime(finished_at,'+8 hours'),1,7), '-', total_of(scrap_qty) from mes_work_order where status = 'FINISHED' group by 1"),
}  # fmt: skip
ELSEWHERE = {("hr", "payroll"), ("logistics", "freight")}  # files


@dataclass(frozen=True)
class Company:
    """A built company: its folder, SQL over its systems, and the answer key as text."""

    folder: Path

    def ask(self, system: str, sql: str) -> list[tuple]:
        path = next(p / f"{system}.sqlite" for p in (self.folder / "systems", self.folder / "databases") if (p / f"{system}.sqlite").exists())  # fmt: skip
        con = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        con.create_aggregate("total_of", 1, _Total)
        con.create_function("plus", 2, lambda a, b: str(Decimal(a) + Decimal(b)))
        con.create_function("signed", 2, lambda minus, a: str(-Decimal(a)) if minus else a)
        try:
            return con.execute(sql).fetchall()
        finally:
            con.close()

    def key(self, name: str) -> list[dict[str, str]]:
        with (self.folder / "answers" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def totals(self, module: str, measure: str) -> dict[tuple[str, str], Decimal]:
        return {
            (row["period"], row["currency"]): Decimal(row["value"])
            for row in self.key("totals")
            if (row["module"], row["measure"]) == (module, measure)
        }

    def balance(self, account: str, entity: str = "HC") -> dict[int, Decimal]:
        """Balances of an account at the end of each period, from the key."""
        return {
            int(row["period"]): Decimal(row["closing"])
            for row in self.key("trial_balance")
            if (row["entity"], row["account"]) == (entity, account)
        }

    def moves(self) -> Iterator[tuple[str, str, str, str, Decimal, Decimal]]:
        """Day, kind, warehouse, U8 code, quantity and cost that came in (negative: went out)."""
        for voucher, sign in STOCK.items():
            rows = self.ask("u8", f"select dDate, cBusType, cWhCode, cInvCode, iQuantity, iPrice from RdRecord{voucher} join rdrecords{voucher} using (ID)")  # fmt: skip
            for day, kind, warehouse, code, quantity, cost in rows:
                yield day, KINDS[kind], warehouse, code, sign * Decimal(quantity), sign * Decimal(cost)


class _Total:
    """Exact sums of decimal text, which SQLite itself would add as floats."""

    def __init__(self) -> None:
        self.sum = ZERO

    def step(self, value: str | None) -> None:
        self.sum += Decimal(value or 0)

    def finalize(self) -> str:
        return str(self.sum)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int], Company]:
    """Builds a company once for the module, with the MES, which is a PostgreSQL database, as a store beside the others."""
    found: dict[tuple[int, int], Company] = {}

    def make(seed: int, scale: int) -> Company:
        if (seed, scale) not in found:
            folder = tmp_path_factory.mktemp(f"huachen-{seed}-{scale}")
            made = world(seed, scale)
            with pytest.MonkeyPatch.context() as patch:  # one history for both
                patch.setattr("sandbox.huachen.world.world", lambda *_: made)
                build(folder, seed, scale)
            write_store(folder / "databases" / "mes.sqlite", mes.tables(made, Spelling(made)))
            found[seed, scale] = Company(folder)
        return found[seed, scale]

    return make


@pytest.fixture(
    scope="module", params=[(2026, 1), (7, 1), pytest.param((2026, 2), marks=pytest.mark.slow)], ids=str
)
def company(request: pytest.FixtureRequest, built: Callable[[int, int], Company]) -> Company:
    return built(*request.param)


@pytest.mark.parametrize("claim", CLAIMS, ids=".".join)
def test_totals_are_what_the_system_adds_up_to(company: Company, claim: tuple[str, str]) -> None:
    system, sql = CLAIMS[claim]
    found = {(period, currency): Decimal(value) for period, currency, value in company.ask(system, sql)}
    assert len(found) >= 22  # the first payments are due in March
    assert _without_zeros(found) == _without_zeros(company.totals(*claim))


def test_every_total_of_the_key_is_looked_at(company: Company) -> None:
    said = {(row["module"], row["measure"]) for row in company.key("totals") if row["module"] != "stock"}
    assert said == {*CLAIMS, *ELSEWHERE}
    assert {
        row["measure"].rpartition("_")[0] for row in company.key("totals") if row["module"] == "stock"
    } == set(KINDS.values())


def test_stock_movements_add_up_by_kind(company: Company) -> None:
    found: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for day, kind, _, _, quantity, cost in company.moves():
        found[day[:7], kind][0] += abs(quantity)
        found[day[:7], kind][1] += abs(cost)
    for kind in set(KINDS.values()):
        months = {period: sums for (period, one), sums in found.items() if one == kind}
        quantities = {
            period: value for (period, _), value in company.totals("stock", f"{kind}_quantity").items()
        }
        costs = {period: value for (period, _), value in company.totals("stock", f"{kind}_cost").items()}
        assert {period: sums[0] for period, sums in months.items()} == quantities, kind
        assert {period: sums[1] for period, sums in months.items()} == costs, kind


def test_payroll_is_what_the_workbooks_say_and_what_is_posted(company: Company) -> None:
    from openpyxl import load_workbook

    found: dict[str, Decimal] = {}
    for path in sorted((company.folder / "drops" / "hr").glob("工资_*.xlsx")):
        sheet = load_workbook(path, read_only=True)["工资"]
        *people, last = list(sheet.iter_rows(min_row=4, values_only=True))
        sums = sum((_cents(row[4]) for row in people), ZERO)
        assert (last[0], _cents(last[4])) == ("合计", sums)
        found[path.stem.partition("_")[2]] = sums
    assert len(found) == 24
    assert found == {period: value for (period, _), value in company.totals("hr", "payroll").items()}
    posted = company.ask("kingdee", """select substr(FDate,1,7), total_of(FCREDIT) from GL_VOUCHER
        where "FACCOUNTID.FNumber" = '2211' and FEXPLANATION = '计提工资' group by 1""")  # fmt: skip
    assert found == {period: Decimal(value) for period, value in posted}


def test_freight_is_what_the_carriers_files_say(company: Company) -> None:
    found: dict[str, Decimal] = defaultdict(Decimal)
    for path in (company.folder / "drops" / "tms").glob("运单_*.csv"):
        with path.open(encoding="gb18030", newline="") as file:
            for row in csv.DictReader(file):
                found[row["发货时间"][:7]] += Decimal(row["运费"])
    assert found == {period: value for (period, _), value in company.totals("logistics", "freight").items()}


def test_spare_parts_that_came_are_in_the_books(company: Company) -> None:
    orders = company.ask("yonbip", "select total_of(listOriSum) from [scm/purchaseorder] group by code having max(recieveDate) <= '2025-12-31'")  # fmt: skip
    posted = company.ask("kingdee", """select FCREDIT from GL_VOUCHER
        where "FACCOUNTID.FNumber" = '1002' and FEXPLANATION = '备件及服务'""")  # fmt: skip
    assert sorted(Decimal(value) for (value,) in orders) == sorted(Decimal(value) for (value,) in posted)
    assert len(posted) > 100


def test_every_voucher_and_the_trial_balance_balance(company: Company) -> None:
    wrong = company.ask("kingdee", "select FVOUCHERID, total_of(FDEBIT) d, total_of(FCREDIT) c from GL_VOUCHER group by 1 having d <> c and d + 0 <> c + 0")  # fmt: skip
    assert wrong == []
    journal = "[API_OPLACCTGDOCITEMCUBE_SRV/A_OperationalAcctgDocItemCube]"
    sums = company.ask("sap", f"select FiscalYear, AccountingDocument, total_of(AmountInCompanyCodeCurrency) from {journal} group by 1, 2")  # fmt: skip
    assert len(sums) > 500 and {Decimal(value) for *_, value in sums} == {ZERO}
    periods: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for row in company.key("trial_balance"):
        periods[row["entity"], row["period"]][0] += Decimal(row["debit"]) - Decimal(row["credit"])
        periods[row["entity"], row["period"]][1] += Decimal(row["closing"])
    assert len(periods) == 48
    assert {tuple(item) for item in periods.values()} == {(ZERO, ZERO)}


def test_the_trial_balance_follows_from_the_vouchers(company: Company) -> None:
    found = {
        ("HC", year * 100 + month, account): (Decimal(debit), Decimal(credit))
        for year, month, account, debit, credit in company.ask(
            "kingdee",
            'select FYEAR, FPERIOD, "FACCOUNTID.FNumber", total_of(FDEBIT), total_of(FCREDIT) from GL_VOUCHER group by 1,2,3',
        )
    }
    journal = "[API_OPLACCTGDOCITEMCUBE_SRV/A_OperationalAcctgDocItemCube]"
    sap = company.ask("sap", f"""select FiscalYear, FiscalPeriod, GLAccount,
        total_of(iif(DebitCreditCode = 'S', AmountInCompanyCodeCurrency, '0')),
        total_of(iif(DebitCreditCode = 'H', signed(1, AmountInCompanyCodeCurrency), '0')) from {journal} group by 1,2,3""")  # fmt: skip
    found |= {
        ("HCE", int(y) * 100 + int(m), account): (Decimal(d), Decimal(c)) for y, m, account, d, c in sap
    }
    closing: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    seen = set()
    for row in company.key("trial_balance"):
        key = (row["entity"], int(row["period"]), row["account"])
        debit, credit = found.get(key, (ZERO, ZERO))
        assert (Decimal(row["debit"]), Decimal(row["credit"])) == (debit, credit), key
        closing[key[0], key[2]] += debit - credit
        assert Decimal(row["closing"]) == closing[key[0], key[2]], key
        seen.add(key)
    assert set(found) <= seen


def test_stock_rolls_forward_and_is_never_negative(company: Company) -> None:
    true = {row["code"]: row["true_number"] for row in company.key("identities") if (row["system"], row["kind"]) == ("u8", "product")}  # fmt: skip
    held: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    key: dict[str, dict[tuple[str, str], list[Decimal]]] = defaultdict(dict)
    for row in company.key("stock"):
        key[row["period"]][row["warehouse"], row["product"]] = [
            Decimal(row["quantity"]),
            Decimal(row["cost"]),
        ]
    days = defaultdict(list)
    for move in company.moves():
        days[move[0]].append(move)
    last = max(days)
    for day in sorted(days):
        for _, _, warehouse, code, quantity, cost in days[day]:
            held[warehouse, true[code]][0] += quantity
            held[warehouse, true[code]][1] += cost
        assert min(sums[0] for sums in held.values()) >= 0, day
        following = min((other for other in days if other > day), default="9999") if day[8:] > "20" else day
        if following[:7] != day[:7]:
            assert held == key.pop(day[:7]), day
    assert key == {} and last[:7] == "2025-12"
    shown = {(w, true[code]): Decimal(quantity) for w, code, quantity in company.ask("u8", "select cWhCode, cInvCode, iQuantity from CurrentStock")}  # fmt: skip
    assert shown == {place: sums[0] for place, sums in held.items()}


def test_inventory_accounts_are_the_stock_at_standard_cost(company: Company) -> None:
    for account, warehouses in (("1403", {"W01"}), ("1405", {"W02", "W03"})):
        found: dict[int, Decimal] = defaultdict(Decimal)
        for row in company.key("stock"):
            if row["warehouse"] in warehouses:
                found[int(row["period"].replace("-", ""))] += Decimal(row["cost"])
        assert found == company.balance(account), account


def test_work_in_progress_is_what_running_orders_took(company: Company) -> None:
    running = {
        number
        for (number,) in company.ask("mes", "select wo_no from mes_work_order where status = 'RUNNING'")
    }
    taken = company.ask(
        "u8", "select cMPoCode, total_of(iPrice) from RdRecord11 join rdrecords11 using (ID) group by 1"
    )
    assert company.balance("5001")[202512] == sum(
        (Decimal(cost) for number, cost in taken if number in running), ZERO
    )


@pytest.mark.parametrize(
    ("account", "party", "form", "code"),
    [
        ("1122", "FDetailID.FFLEX6.FNumber", "AR_receivable", "FCUSTOMERID.FNumber"),
        ("2202", "FDetailID.FFLEX4.FNumber", "AP_Payable", "FSUPPLIERID.FNumber"),
    ],
)
def test_control_accounts_are_the_open_invoices_of_each_party(company: Company, account: str, party: str, form: str, code: str) -> None:  # fmt: skip
    books = company.ask("kingdee", f"""select "{party}", total_of(FDEBIT), total_of(FCREDIT) from GL_VOUCHER
        where "FACCOUNTID.FNumber" = '{account}' group by 1""")  # fmt: skip
    bills = company.ask("kingdee", f"""select "{code}", total_of(FALLAMOUNTFOR), total_of(FRELATEHADPAYAMOUNT)
        from (select distinct FID, "{code}", FALLAMOUNTFOR, FRELATEHADPAYAMOUNT from {form}) group by 1""")  # fmt: skip
    sign = 1 if account == "1122" else -1
    by_books = {who: sign * (Decimal(debit) - Decimal(credit)) for who, debit, credit in books}
    by_bills = {who: Decimal(owed) - Decimal(paid) for who, owed, paid in bills}
    assert None not in by_books and len(by_books) >= 14
    assert by_books == by_bills
    assert company.balance(account)[202512] == sign * sum(by_bills.values())


def test_goods_received_and_not_billed_stand_on_220201(company: Company) -> None:
    received = company.ask("u8", "select r.iQuantity, p.iUnitPrice from rdrecords01 r join PO_Podetails p on p.ID = r.iPOsID")  # fmt: skip
    [(billed,)] = company.ask("kingdee", "select total_of(FNoTaxAmountFor_D) from AP_Payable")
    value = sum(((Decimal(q) * Decimal(p)).quantize(CENT, ROUND_HALF_UP) for q, p in received), ZERO)
    assert company.balance("220201")[202512] == Decimal(billed) - value != 0


def test_the_bank_is_what_came_in_and_went_out(company: Company) -> None:
    totals = {name: sum(company.totals(*name).values()) for name in (("receivables", "receipts"), ("payables", "payments"), ("shop", "settled_net"))}  # fmt: skip
    [(claims,)] = company.ask("wecom", "select total_of(amount) from approval where sp_status = 2")
    [(spare,)] = company.ask("kingdee", """select total_of(FCREDIT) from GL_VOUCHER
        where "FACCOUNTID.FNumber" = '1002' and FEXPLANATION = '备件及服务'""")  # fmt: skip
    [(capital,)] = company.ask("kingdee", """select total_of(FDEBIT) from GL_VOUCHER
        where "FACCOUNTID.FNumber" = '1002' and FEXPLANATION = '期初'""")  # fmt: skip
    wages = {period: value for (period, _), value in company.totals("hr", "payroll").items()}
    paid = sum(
        (value for period, value in wages.items() if period != "2025-12"), ZERO
    )  # on the tenth day after
    expected = Decimal(capital) + totals["receivables", "receipts"] + totals["shop", "settled_net"]
    expected -= totals["payables", "payments"] + Decimal(claims) + Decimal(spare) + paid
    assert company.balance("1002")[202512] == expected
    assert company.balance("2211")[202512] == -wages["2025-12"]
    assert min(company.balance("1002").values()) > 0


def test_the_platform_owes_what_it_has_not_settled(company: Company) -> None:
    sent = sum(company.totals("shop", "sent_gross").values()) - sum(
        company.totals("shop", "refunds").values()
    )
    open_still = (
        sent
        - sum(company.totals("shop", "fees").values())
        - sum(company.totals("shop", "settled_net").values())
    )
    assert company.balance("1012")[202512] == open_still > 0
    for first, last, gross, refunds, fees, net in company.ask("shop", "select begin_date, end_date, order_amount, refund_amount, fee_amount, pay_amount from settlements"):  # fmt: skip
        [(sold,)] = company.ask(
            "shop",
            f"select total_of(pay_amount) from orders where date(send_date,'+8 hours') between '{first}' and '{last}'",
        )
        [(back,)] = company.ask(
            "shop",
            f"select total_of(refund) from refunds where date(modified,'+8 hours') between '{first}' and '{last}'",
        )
        assert (Decimal(sold or 0), Decimal(back or 0)) == (Decimal(gross), Decimal(refunds)), first
        assert Decimal(gross) - Decimal(refunds) - Decimal(fees) == Decimal(net), first
        [(kept,)] = company.ask(
            "kingdee",
            f"select total_of(FDEBIT) from GL_VOUCHER where FEXPLANATION = '平台服务费' and FDate between '{first}' and '{last}'",
        )
        assert Decimal(kept or 0) == Decimal(fees), first


def test_what_mes_made_and_took_is_what_u8_holds(company: Company) -> None:
    codes = {
        system: {row["code"]: row["true_number"] for row in company.key("identities") if (row["system"], row["kind"]) == (system, "product")}
        for system in ("u8", "mes")
    }  # fmt: skip
    for voucher, table, number, product, quantity in (
        ("10", "mes_output", "output_no", "product_code", "good_qty"),
        ("11", "mes_material_issue", "issue_no", "material_code", "qty"),
    ):
        u8 = company.ask(
            "u8",
            f"select cCode, irowno, cMPoCode, cInvCode, iQuantity from RdRecord{voucher} join rdrecords{voucher} using (ID)",
        )
        other = company.ask("mes", f"select {number}, line_no, wo_no, {product}, {quantity} from {table}")
        assert {(a, b, c, codes["u8"][code], Decimal(q)) for a, b, c, code, q in u8} == {
            (a, b, c, codes["mes"][code], Decimal(q)) for a, b, c, code, q in other
        }


def test_the_subsidiary_owes_the_parent_what_the_parent_waits_for(company: Company) -> None:
    """Every invoice to it is in its books, in EUR, on the same day under the same number."""
    own = {row["code"] for row in company.key("identities") if (row["system"], row["kind"], row["true_number"]) == ("kingdee", "customer", "C9001")}  # fmt: skip
    sent = company.ask("kingdee", 'select distinct FBillNo, FDATE, "FCUSTOMERID.FNumber" from AR_receivable')
    journal = "[API_OPLACCTGDOCITEMCUBE_SRV/A_OperationalAcctgDocItemCube]"
    booked = company.ask(
        "sap", f"select DocumentReferenceID, PostingDate from {journal} where GLAccount = '893000'"
    )
    assert {(number, day) for number, day, code in sent if code in own} == set(booked)
    assert len(booked) > 200


DEALINGS = {  # the day of a document, and the day its party was keyed in: both local
    "orders": ("kingdee", 'select FDate, date(c.FCreateDate, "+8 hours") from SAL_SaleOrder join BD_Customer c on c.FNumber = "FCustId.FNumber"'),
    "payables": ("kingdee", 'select FDATE, date(s.FCreateDate, "+8 hours") from AP_Payable join BD_Supplier s on s.FNumber = "FSUPPLIERID.FNumber"'),
    "purchases": ("u8", "select dPODate, dVenDevDate from PO_Pomain join Vendor using (cVenCode)"),
    "deliveries": ("u8", "select dDate, dCusDevDate from RdRecord32 join Customer using (cCusCode)"),
    "sap": ("sap", "select SalesOrderDate, p.CreationDate from [API_SALES_ORDER_SRV/A_SalesOrder] join [api_business_partner/srvd_a2x/sap/businesspartner/0001/BusinessPartner] p on BusinessPartner = SoldToParty"),
    "opportunities": ("crm", 'select date(o.createTime, "+8 hours"), date(c.createTime, "+8 hours") from opportunity o join customer c on c._id = _widget_1690000002002'),
}  # fmt: skip


@pytest.mark.parametrize("dealing", DEALINGS)
def test_no_document_names_a_party_that_was_not_keyed_in_yet(company: Company, dealing: str) -> None:
    rows = company.ask(*DEALINGS[dealing])
    assert len(rows) > 300
    assert [pair for pair in rows if pair[0] < pair[1]] == []


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(built: Callable[[int, int], Company], tmp_path: Path) -> None:  # fmt: skip
    one, other = built(7, 1).folder, built(2026, 1).folder
    build(tmp_path, 7, 1)
    files = [
        p.relative_to(tmp_path)
        for p in sorted(tmp_path.rglob("*"))
        if p.is_file() and p.suffix != ".env" and p.name != ".built.json"
    ]
    assert len(files) > 60
    assert filecmp.cmpfiles(one, tmp_path, files, shallow=False)[1:] == ([], [])
    stores = [file for file in files if file.suffix == ".sqlite"]
    assert filecmp.cmpfiles(one, other, stores, shallow=False)[0] == []


def _cents(value: object) -> Decimal:
    return Decimal(str(value)).quantize(CENT)


def _without_zeros(found: dict[tuple[str, str], Decimal]) -> dict[tuple[str, str], Decimal]:
    return {key: value for key, value in found.items() if value}
