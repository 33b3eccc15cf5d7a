"""Faults of the shop, the approvals and the subsidiary, between two systems, and of a system's shape."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal

from sandbox.huachen.faults.desk import FILE, Desk, PlantError, Record, Stake
from sandbox.huachen.faults.kinds import kind
from sandbox.huachen.faults.values import cents, text

_SHANGHAI = timedelta(hours=8)
_JOURNAL = "API_OPLACCTGDOCITEMCUBE_SRV/A_OperationalAcctgDocItemCube"
_AMOUNT = "AmountInCompanyCodeCurrency"
# Systems reached over an emulator, whose fields can be called otherwise while it runs.
_DRIFTING = ("kingdee", "shop", "crm", "feishu", "dingtalk")
# Names of a store that no interface shows: a form and a 多维表格 go by their labels. Renamed, nobody would see it.
_UNSEEN = {("dingtalk", "leave_days"), ("feishu", "fldQuanti4"), ("feishu", "fldAmount5")}


def _local(instant: str) -> datetime:
    return datetime.fromisoformat(instant) + _SHANGHAI


@kind(
    "wrong-rate",
    "汇率用错",
    "the subsidiary books a purchase from the parent at a rate that is 5 to 12 percent off",
)
def wrong_rate(desk: Desk) -> Stake:
    rows = desk.pick("sap", _JOURNAL, "AccountingDocumentType = 'KR'", whole="DocumentReferenceID")
    factor = 1 + Decimal(desk.dice.randrange(50, 121)) / 1000 * desk.dice.choice((1, -1))
    off = Decimal(0)
    for row in rows:
        true = Decimal(row[_AMOUNT])
        shown = cents(true * factor)
        desk.change("sap", _JOURNAL, row, {_AMOUNT: text(shown)})
        off = max(off, abs(shown - true))
    return Stake(rows[0]["PostingDate"][:7], off, "EUR")


@kind(
    "shop-order-missing",
    "电商订单未进入日汇总凭证",
    "the voucher of a shop day leaves out one of the day's orders",
)
def shop_order_missing(desk: Desk) -> Stake:
    day_of: dict[str, list[Record]] = {}
    for order in desk.rows("shop", "orders", "send_date is not null"):
        day_of.setdefault(f"DS{_local(order['send_date']):%Y%m%d}", []).append(order)
    rows = desk.pick(
        "kingdee", "GL_VOUCHER", "F_HC_SourceNo like 'DS2%' and FEXPLANATION = '电商销售'", whole="FVOUCHERID",
        suits=lambda rows: len(day_of.get(rows[0]["F_HC_SourceNo"], ())) > 2,
    )  # fmt: skip
    orders = day_of[rows[0]["F_HC_SourceNo"]]
    amount = Decimal(desk.dice.choice(orders)["pay_amount"])
    sold, income, tax = (
        next(row for row in rows if (row["FACCOUNTID.FNumber"], row["FEXPLANATION"]) == wanted)
        for wanted in (("1012", "电商销售"), ("6001", "电商销售"), ("222102", "销项税"))
    )
    net = cents(amount / Decimal("1.13"))
    for row, field, less in (
        (sold, "FDEBIT", amount),
        (income, "FCREDIT", net),
        (tax, "FCREDIT", amount - net),
    ):
        shown = text(Decimal(row[field]) - less)
        desk.change("kingdee", "GL_VOUCHER", row, {field: shown, "FAMOUNTFOR": shown})
    return Stake(rows[0]["FDate"][:7], amount)


@kind("refund-lost", "退款单丢失", "a refund that the shop paid is not in 聚水潭")
def refund_lost(desk: Desk) -> Stake:
    def lines(refund: Record) -> list[Record]:
        return desk.rows("shop", "refund_items", "as_id = ?", refund["as_id"])

    [row] = desk.pick(
        "shop", "refunds", suits=lambda rows: desk.is_free("shop", "refund_items", lines(rows[0]))
    )
    desk.remove("shop", "refund_items", lines(row))
    desk.remove("shop", "refunds", [row])
    return Stake(f"{_local(row['modified']):%Y-%m}", Decimal(row["refund"]))


@kind(
    "wrong-clock",
    "时钟快了",
    "the shop's orders of the last day of a month were sent nine hours late by a wrong clock",
)
def wrong_clock(desk: Desk) -> Stake:
    """All orders sent on a month's last day of work that is its last day: nine hours bring some into the next month."""

    def crosses(order: Record) -> bool:
        sent = _local(order["send_date"])
        return (sent + timedelta(hours=9)).month != sent.month

    days: dict[str, list[Record]] = {}
    for order in desk.rows("shop", "orders", "send_date is not null"):
        days.setdefault(f"{_local(order['send_date']):%Y-%m-%d}", []).append(order)
    found = [
        day for day, orders in sorted(days.items())
        if any(crosses(order) for order in orders) and desk.is_free("shop", "orders", orders)
    ]  # fmt: skip
    if not found:
        raise PlantError("shop.orders: no month's last day is left for this fault. Nothing was planted.")
    day = desk.dice.choice(found)
    moved = Decimal(0)
    for order in days[day]:
        moved += Decimal(order["pay_amount"]) if crosses(order) else 0
        late = datetime.fromisoformat(order["send_date"]) + timedelta(hours=9)
        desk.change("shop", "orders", order, {"send_date": late.strftime("%Y-%m-%dT%H:%M:%SZ")})
    return Stake(day[:7], moved)


@kind("approval-missing", "付款没有审批", "the approval of a payment is not in 飞书")
def approval_missing(desk: Desk) -> Stake:
    def steps(instance: Record) -> list[Record]:
        return desk.rows("feishu", "task", "instance_code = ?", instance["instance_code"])

    [row] = desk.pick(
        "feishu",
        "instance",
        "reference like 'FK%'",
        suits=lambda rows: desk.is_free("feishu", "task", steps(rows[0])),
    )
    desk.remove("feishu", "task", steps(row))
    desk.remove("feishu", "instance", [row])
    return Stake(f"{_local(row['end_time']):%Y-%m}", Decimal(row["amount"]))


@kind(
    "schema-drift",
    "字段改名",
    "a field is called otherwise from now on, in rows and in metadata (over the emulator)",
)
def schema_drift(desk: Desk) -> Stake:
    found = []
    for system in _DRIFTING:
        tables = desk.tables(system)
        known = Counter(field.name for table in tables.values() for field in table.fields)
        found += [
            (system, field.name)
            for table in tables.values()
            for field in table.fields
            # A name that two tables share would be renamed in both; keys and links hold the system together.
            if field.kind == "decimal" and known[field.name] == 1 and field.name not in {*table.key, table.link}
            and (system, field.name) not in _UNSEEN
            and not desk.is_touched(system, FILE, (field.name,))
        ]  # fmt: skip
    if not found:
        raise PlantError("no field is left to rename. Nothing was planted.")
    system, old = desk.dice.choice(found)
    desk.drift(system, old, f"{old}_V2")
    return Stake("", Decimal(0))
