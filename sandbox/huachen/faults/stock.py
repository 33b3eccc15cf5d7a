"""Faults in 用友 U8: stock documents. U8's own running balance (CurrentStock) goes on showing what is truly there."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from sandbox.huachen.faults.desk import Desk, Record, Stake
from sandbox.huachen.faults.kinds import kind
from sandbox.huachen.faults.values import cents, text

U8 = "u8"
RECEIPT, OUTPUT, DELIVERY, OTHER_OUT = "01", "10", "32", "09"
_SHANGHAI = timedelta(hours=8)


def _lines(voucher: str) -> str:
    return f"rdrecords{voucher}"


def _head(desk: Desk, voucher: str, line: Record) -> Record:
    [head] = desk.rows(U8, f"RdRecord{voucher}", "ID = ?", line["ID"])
    return head


@kind("wrong-quantity", "数量录错", "a delivered quantity has a zero too many, and its cost with it")
def wrong_quantity(desk: Desk) -> Stake:
    [row] = desk.pick(U8, _lines(DELIVERY), "cast(iQuantity as real) > 0")
    true = Decimal(row["iPrice"])
    shown = cents(true * 10)
    pieces = {"iNum": text(Decimal(row["iNum"]) * 10)} if row["iNum"] is not None else {}
    desk.change(
        U8,
        _lines(DELIVERY),
        row,
        {"iQuantity": text(Decimal(row["iQuantity"]) * 10), "iPrice": text(shown), **pieces},
    )
    return Stake(_head(desk, DELIVERY, row)["dDate"][:7], shown - true)


@kind(
    "wrong-unit",
    "计量单位弄错（公斤/吨、个/箱）",
    "a receipt counts tons or boxes where the unit is kilograms or pieces",
)
def wrong_unit(desk: Desk) -> Stake:
    [row] = desk.pick(
        U8, _lines(RECEIPT), "iNum is not null and cast(iNum as real) <> cast(iQuantity as real)"
    )
    packs = text(Decimal(row["iNum"]).normalize())
    desk.change(U8, _lines(RECEIPT), row, {"iQuantity": packs})
    return Stake(_head(desk, RECEIPT, row)["dDate"][:7], Decimal(row["iPrice"]))


@kind("wrong-product", "存货编码录错", "a delivered line names another product")
def wrong_product(desk: Desk) -> Stake:
    [row] = desk.pick(U8, _lines(DELIVERY), "cast(iQuantity as real) > 0")
    desk.change(
        U8, _lines(DELIVERY), row, {"cInvCode": desk.other(U8, _lines(DELIVERY), "cInvCode", row["cInvCode"])}
    )
    return Stake(_head(desk, DELIVERY, row)["dDate"][:7], Decimal(row["iPrice"]))


@kind(
    "move-missing", "MES 已报工，U8 未入库", "finished goods that the MES reported never came into U8's stock"
)
def move_missing(desk: Desk) -> Stake:
    [head] = desk.pick(
        U8, f"RdRecord{OUTPUT}",
        suits=lambda rows: desk.is_free(U8, _lines(OUTPUT), desk.rows(U8, _lines(OUTPUT), "ID = ?", rows[0]["ID"])),
    )  # fmt: skip
    lines = desk.rows(U8, _lines(OUTPUT), "ID = ?", head["ID"])
    desk.remove(U8, _lines(OUTPUT), lines)
    desk.remove(U8, f"RdRecord{OUTPUT}", [head])
    return Stake(head["dDate"][:7], sum((Decimal(line["iPrice"]) for line in lines), Decimal(0)))


@kind(
    "wrong-zone",
    "时区错误",
    "the stock documents that left on one day for the shop are timed in UTC, not in local time",
)
def wrong_zone(desk: Desk) -> Stake:
    table = f"RdRecord{OTHER_OUT}"
    rows = desk.pick(U8, table, "cBusType = '电商出库'", whole="dDate")
    rows = [row for row in rows if row["cBusType"] == "电商出库"]
    at_stake = Decimal(0)
    for row in rows:
        wall = datetime.fromisoformat(row["dnmaketime"]) - _SHANGHAI
        desk.change(U8, table, row, {"dnmaketime": wall.strftime("%Y-%m-%d %H:%M:%S")})
        lines = desk.rows(U8, _lines(OTHER_OUT), "ID = ?", row["ID"])
        at_stake += sum((Decimal(line["iPrice"]) for line in lines), Decimal(0))
    return Stake(rows[0]["dDate"][:7], at_stake)
