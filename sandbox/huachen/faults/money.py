"""Faults in 金蝶云星空: orders, receivables, payables, payments and vouchers."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from sandbox.huachen.faults.desk import Desk, Record, Stake
from sandbox.huachen.faults.kinds import kind
from sandbox.huachen.faults.values import CENT, cents, next_month, shifted, text, transposed

K = "kingdee"
ORDERS, BILLS, RECEIPTS, PAYABLES, PAYMENTS, BOOKS, CUSTOMERS = (
    "SAL_SaleOrder", "AR_receivable", "AR_RECEIVEBILL", "AP_Payable", "AP_PAYBILL", "GL_VOUCHER", "BD_Customer",
)  # fmt: skip
ENTRY = {
    ORDERS: "FSaleOrderEntry_FEntryID",
    BILLS: "FEntityDetail_FEntryID",
    PAYMENTS: "FPAYBILLSRCENTRY_FEntryID",
}
BUYER = "FCustId.FNumber"
_POSITIVE = "cast(FALLAMOUNTFOR as real) > 0"
_TAXED = "cast(FEntryTaxRate as real) = 13"


def _month(day: str) -> str:
    return day[:7]


def _sum(rows: list[Record], field: str) -> Decimal:
    return sum((Decimal(row[field]) for row in rows), Decimal(0))


def _ordered(rows: list[Record]) -> Stake:
    return Stake(_month(rows[0]["FDate"]), _sum(rows, "FAllAmount"), rows[0]["FSettleCurrId.FNumber"])


def _billed(rows: list[Record]) -> Stake:
    return Stake(_month(rows[0]["FDATE"]), Decimal(rows[0]["FALLAMOUNTFOR"]))


@kind("lost-row", "订单丢失一行", "one line of a sales order is missing")
def lost_row(desk: Desk) -> Stake:
    rows = desk.pick(K, ORDERS, whole="FID", suits=lambda rows: len(rows) > 1)
    lost = [desk.dice.choice(rows)]
    desk.remove(K, ORDERS, lost)
    return _ordered(lost)


@kind("sent-twice", "同一应收单以新内码再次出现", "an invoice comes a second time under new internal ids")
def sent_twice(desk: Desk) -> Stake:
    rows = desk.pick(K, BILLS, _POSITIVE, whole="FID")
    _copy(desk, BILLS, rows, {})
    return _billed(rows)


@kind("late-row", "结账后补录", "a supplier's invoice is keyed in after its month was closed")
def late_row(desk: Desk) -> Stake:
    rows = desk.pick(K, PAYABLES, f"{_POSITIVE} and FDATE < '2025-12-01'", whole="FID")
    after = next_month(date.fromisoformat(rows[0]["FDATE"])) + timedelta(days=desk.dice.randrange(6, 13))
    delta = after - date.fromisoformat(rows[0]["FDATE"])
    for row in rows:
        times = {name: shifted(row[name], delta) for name in ("FCreateDate", "FApproveDate")}
        desk.change(K, PAYABLES, row, {**times, "FModifyDate": max(row["FModifyDate"], times["FCreateDate"])})
    return _billed(rows)


@kind(
    "wrong-amount",
    "金额录错",
    "two digits of an invoice's net amount have changed places; tax and total follow",
)
def wrong_amount(desk: Desk) -> Stake:
    rows = desk.pick(K, BILLS, _POSITIVE, whole="FID")
    row = desk.dice.choice(rows)
    net, tax = Decimal(row["FNoTaxAmountFor_D"]), Decimal(row["FTAXAMOUNTFOR_D"])
    shown = transposed(net, desk.dice)
    shown_tax = cents(shown * tax / net)
    off = shown + shown_tax - net - tax
    total = Decimal(row["FALLAMOUNTFOR"]) + off
    for item in rows:
        lines = {
            "FNoTaxAmountFor_D": text(shown), "FTAXAMOUNTFOR_D": text(shown_tax), "FALLAMOUNTFOR_D": text(shown + shown_tax),
        } if item is row else {}  # fmt: skip
        desk.change(K, BILLS, item, {**lines, "FALLAMOUNTFOR": text(total)})
    return Stake(_month(row["FDATE"]), abs(off))


@kind("wrong-tax-rate", "税率用错", "a line of a sales order is taxed at 6 or 9 percent instead of 13")
def wrong_tax_rate(desk: Desk) -> Stake:
    [row] = desk.pick(K, ORDERS, _TAXED)
    rate = Decimal(desk.dice.choice((6, 9)))
    net, true = Decimal(row["FAmount"]), Decimal(row["FEntryTaxAmount"])
    tax = cents(net * rate / 100)
    desk.change(
        K, ORDERS, row,
        {"FEntryTaxRate": text(rate), "FEntryTaxAmount": text(tax), "FAllAmount": text(net + tax),
         "FTaxPrice": text(Decimal(row["FPrice"]) * (1 + rate / 100))},
    )  # fmt: skip
    return Stake(_month(row["FDate"]), true - tax)


@kind("gross-as-net", "含税金额填入不含税栏", "an invoice's net field holds the amount with tax")
def gross_as_net(desk: Desk) -> Stake:
    [row] = desk.pick(K, BILLS, f"{_POSITIVE} and cast(FTAXAMOUNTFOR_D as real) > 0")
    desk.change(K, BILLS, row, {"FNoTaxAmountFor_D": row["FALLAMOUNTFOR_D"]})
    return Stake(_month(row["FDATE"]), Decimal(row["FTAXAMOUNTFOR_D"]))


@kind("wrong-currency", "币别选错", "a sales order in CNY says USD")
def wrong_currency(desk: Desk) -> Stake:
    rows = desk.pick(K, ORDERS, '"FSettleCurrId.FNumber" = ?', "CNY", whole="FID")
    stake = _ordered(rows)
    for row in rows:
        desk.change(K, ORDERS, row, {"FSettleCurrId.FNumber": "USD"})
    return stake


@kind("wrong-customer", "订单挂错客户", "a sales order names another customer")
def wrong_customer(desk: Desk) -> Stake:
    rows = desk.pick(K, ORDERS, whole="FID")
    other = desk.other(K, ORDERS, BUYER, rows[0][BUYER])
    for row in rows:
        desk.change(K, ORDERS, row, {BUYER: other})
    return _ordered(rows)


@kind("customers-merged", "两个客户被并成一个", "all orders of one customer go under the code of another")
def customers_merged(desk: Desk) -> Stake:
    rows = desk.pick(K, ORDERS, whole=BUYER, suits=lambda rows: 2 <= len(rows) <= 40)
    other = desk.other(K, ORDERS, BUYER, rows[0][BUYER])
    for row in rows:
        desk.change(K, ORDERS, row, {BUYER: other})
    return _ordered(rows)


@kind(
    "customer-split", "一个客户被拆成两个", "a second record of a customer takes the later half of its orders"
)
def customer_split(desk: Desk) -> Stake:
    rows = desk.pick(
        K, ORDERS, whole=BUYER, suits=lambda rows: 4 <= len(rows) <= 80 and len({r["FID"] for r in rows}) > 1
    )
    [true] = desk.rows(K, CUSTOMERS, "FNumber = ?", rows[0][BUYER])
    number = desk.next(K, CUSTOMERS, "FCUSTID")
    code = f"CUST{9000 + number % 1000:04d}"
    name = f"{true['FName'].strip()}（新）"
    desk.add(
        K, CUSTOMERS, {**true, "FCUSTID": number, "FNumber": code, "FName": name, "FSOCIALCRECODE": None}
    )
    documents = sorted({row["FID"] for row in rows})
    later = [row for row in rows if row["FID"] in documents[len(documents) // 2 :]]
    for row in later:
        desk.change(K, ORDERS, row, {BUYER: code})
    return _ordered(later)


@kind("cut-off", "跨期", "an invoice of the last days of a month is dated into the next")
def cut_off(desk: Desk) -> Stake:
    rows = desk.pick(
        K, BILLS, f"{_POSITIVE} and substr(FDATE, 9) >= '26' and FDATE < '2025-12-01'", whole="FID"
    )
    stake = _billed(rows)
    day = next_month(date.fromisoformat(rows[0]["FDATE"])) + timedelta(days=desk.dice.randrange(0, 3))
    for row in rows:
        desk.change(K, BILLS, row, {"FDATE": day.isoformat()})
    return stake


@kind("rounding", "每行一分钱", "the tax of up to twenty invoices of a month is one cent too high on each")
def rounding(desk: Desk) -> Stake:
    where = "cast(FTAXAMOUNTFOR_D as real) > 0 and FID in (select FID from AR_receivable group by 1 having count(*) = 1)"
    [first] = desk.pick(K, BILLS, where)
    month = _month(first["FDATE"])
    found = [
        row
        for row in desk.rows(K, BILLS, f"{where} and substr(FDATE, 1, 7) = ?", month)
        if desk.is_free(K, BILLS, [row])
    ]
    for row in found[:20]:
        more = {
            name: text(Decimal(row[name]) + CENT)
            for name in ("FTAXAMOUNTFOR_D", "FALLAMOUNTFOR_D", "FALLAMOUNTFOR")
        }
        desk.change(K, BILLS, row, more)
    return Stake(month, CENT * len(found[:20]))


@kind("unbalanced-voucher", "凭证借贷不平", "a debit of a voucher has two digits changed places")
def unbalanced_voucher(desk: Desk) -> Stake:
    rows = desk.pick(
        K, BOOKS, "FYEAR * 100 + FPERIOD > 202401", whole="FVOUCHERID",
        suits=lambda rows: any(Decimal(row["FDEBIT"]) > 0 for row in rows),
    )  # fmt: skip
    row = desk.dice.choice([row for row in rows if Decimal(row["FDEBIT"]) > 0])
    true = Decimal(row["FDEBIT"])
    shown = transposed(true, desk.dice)
    desk.change(K, BOOKS, row, {"FDEBIT": text(shown), "FAMOUNTFOR": text(shown)})
    return Stake(_month(row["FDate"]), abs(shown - true))


@kind("voucher-missing", "凭证缺失", "the voucher of a sales invoice is not in the books")
def voucher_missing(desk: Desk) -> Stake:
    rows = desk.pick(K, BOOKS, "F_HC_SourceNo like 'YS2%' and cast(FDEBIT as real) > 0", whole="FVOUCHERID")
    desk.remove(K, BOOKS, rows)
    return Stake(_month(rows[0]["FDate"]), _sum(rows, "FDEBIT"))


@kind("paid-twice", "重复付款", "a supplier's invoice is paid a second time under a number of its own")
def paid_twice(desk: Desk) -> Stake:
    rows = desk.pick(K, PAYMENTS, "FDATE < '2025-12-20'", whole="FID")
    delta = timedelta(days=desk.dice.randrange(2, 8))
    true = rows[0]
    day = date.fromisoformat(true["FDATE"]) + delta
    numbers = desk.rows(K, PAYMENTS, "FBillNo like ?", f"FK{day:%Y%m}%")
    number = f"FK{day:%Y%m}{max([int(row['FBillNo'][8:]) for row in numbers], default=0) + 1:04d}"
    times = {name: shifted(true[name], delta) for name in ("FCreateDate", "FModifyDate", "FApproveDate")}
    _copy(desk, PAYMENTS, rows, {"FBillNo": number, "FDATE": day.isoformat(), **times})
    return Stake(f"{day:%Y-%m}", Decimal(true["FREALPAYAMOUNTFOR"]))


@kind("receipt-wrong-customer", "收款挂错客户", "money that one customer paid is booked under another")
def receipt_wrong_customer(desk: Desk) -> Stake:
    rows = desk.pick(K, RECEIPTS, whole="FID")
    other = desk.other(K, RECEIPTS, "FCONTACTUNIT.FNumber", rows[0]["FCONTACTUNIT.FNumber"])
    for row in rows:
        desk.change(K, RECEIPTS, row, {"FCONTACTUNIT.FNumber": other})
    return Stake(_month(rows[0]["FDATE"]), Decimal(rows[0]["FREALRECAMOUNTFOR"]))


@kind(
    "delivery-without-invoice",
    "出库后未开票（接口中断）",
    "goods left, but neither invoice nor voucher came of it",
)
def delivery_without_invoice(desk: Desk) -> Stake:
    def suits(rows: list[Record]) -> bool:
        return (
            desk.is_free(K, ORDERS, _order_lines(desk, rows))
            and bool(vouchers := _vouchers(desk, rows))
            and desk.is_free(K, BOOKS, vouchers)
        )

    where = f"{_POSITIVE} and cast(FRELATEHADPAYAMOUNT as real) = 0 and FSourceBillNo like 'CK%'"
    rows = desk.pick(K, BILLS, where, whole="FID", suits=suits)
    for line, row in zip(_order_lines(desk, rows), rows, strict=True):
        left = Decimal(line["FInvoiceQty"]) - Decimal(row["FPriceQty"])
        desk.change(K, ORDERS, line, {"FInvoiceQty": text(left)})
    desk.remove(K, BOOKS, _vouchers(desk, rows))
    desk.remove(K, BILLS, rows)
    return _billed(rows)


@kind("invoice-before-delivery", "先开票后发货", "an invoice is dated before its goods left")
def invoice_before_delivery(desk: Desk) -> Stake:
    def sent_on(rows: list[Record]) -> str | None:
        found = desk.rows("u8", "RdRecord32", "cCode = ?", rows[0]["FSourceBillNo"])
        return found[0]["dDate"] if found else None

    # Early enough in a month to be billed too early in the same month.
    rows = desk.pick(
        K, BILLS, f"{_POSITIVE} and FSourceBillNo like 'CK%'", whole="FID",
        suits=lambda rows: (day := sent_on(rows)) is not None and day[8:] >= "10" and day[:7] == _month(rows[0]["FDATE"]),
    )  # fmt: skip
    day = date.fromisoformat(str(sent_on(rows))) - timedelta(days=desk.dice.randrange(2, 8))
    delta = day - date.fromisoformat(rows[0]["FDATE"])
    for row in rows:
        times = {name: shifted(row[name], delta) for name in ("FCreateDate", "FApproveDate")}
        desk.change(K, BILLS, row, {"FDATE": day.isoformat(), **times})
    return _billed(rows)


@kind("payment-before-approval", "未批先付", "a payment is dated before its approval was asked for")
def payment_before_approval(desk: Desk) -> Stake:
    def asked_at(rows: list[Record]) -> str | None:
        found = desk.rows("feishu", "instance", "reference = ?", rows[0]["FBillNo"])
        return found[0]["start_time"] if found else None

    def earlier(rows: list[Record]) -> timedelta:
        paid = date.fromisoformat(rows[0]["FDATE"])
        return date.fromisoformat(str(asked_at(rows))[:10]) - timedelta(days=1) - paid

    rows = desk.pick(
        K, PAYMENTS, whole="FID",
        suits=lambda rows: asked_at(rows) is not None
        and (date.fromisoformat(rows[0]["FDATE"]) + earlier(rows)).isoformat()[:7] == _month(rows[0]["FDATE"]),
    )  # fmt: skip
    delta = earlier(rows)
    for row in rows:
        times = {name: shifted(row[name], delta) for name in ("FCreateDate", "FModifyDate", "FApproveDate")}
        desk.change(
            K, PAYMENTS, row, {"FDATE": (date.fromisoformat(row["FDATE"]) + delta).isoformat(), **times}
        )
    return Stake(_month(rows[0]["FDATE"]), Decimal(rows[0]["FREALPAYAMOUNTFOR"]))


def _order_lines(desk: Desk, bill: list[Record]) -> list[Record]:
    """The order's line of each line of an invoice: an order names a product once."""
    where = 'FBillNo = ? and "FMaterialId.FNumber" = ?'
    return [
        line
        for row in bill
        for line in desk.rows(K, ORDERS, where, row["FORDERNUMBER"], row["FMATERIALID.FNumber"])
    ]


def _vouchers(desk: Desk, bill: list[Record]) -> list[Record]:
    return desk.rows(K, BOOKS, "F_HC_SourceNo = ?", bill[0]["FBillNo"])


def _copy(desk: Desk, table: str, rows: list[Record], other: Record) -> None:
    """The document once more, with internal ids of its own."""
    document = desk.next(K, table, "FID")
    for row in rows:
        entry = {ENTRY[table]: desk.next(K, table, ENTRY[table])}
        desk.add(K, table, {**row, **other, "FID": document, **entry})
