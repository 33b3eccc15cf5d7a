"""Purchasing and stock in a 用友 U8 database; the store's file is the database itself.

As U8 keeps it: header and lines apart, times in local wall clock without a zone, tax rates in percent, customers'
returns as red (negative) deliveries, and `ufts` on headers only: one number for the whole database that grows with
every change. U8 knows 其他入库/其他出库 (08/09) for what no order asks for: the opening, transfers, counts, the shop.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sandbox.huachen.systems.u8.archives import SYSTEM, customers, inventory, local, text, vendors, warehouses
from sandbox.huachen.world import Spelling, World
from sandbox.huachen.world.records import Line, Move, Order
from sandbox.store import Field, Row, Table

VENDOR = "sqlite"
OPTIONS: dict[str, str] = {}

_CURRENCIES = {"CNY": "人民币", "EUR": "欧元", "USD": "美元"}
_FIRST_VERSION = 16_777_216
_MILLIONTH = Decimal("0.000001")
# What a stock document is called: kind and sign → voucher type, 收发类别, 业务类型.
_STYLES = {
    ("receipt", 1): ("01", "11", "普通采购"), ("output", 1): ("10", "12", "成品入库"), ("opening", 1): ("08", "19", "期初"),
    ("transfer_in", 1): ("08", "14", "调拨入库"), ("count", 1): ("08", "15", "盘盈入库"), ("shop_return", 1): ("08", "16", "电商退货"),
    ("delivery", -1): ("32", "21", "普通销售"), ("return", 1): ("32", "21", "销售退货"), ("issue", -1): ("11", "22", "领料"),
    ("transfer_out", -1): ("09", "24", "调拨出库"), ("count", -1): ("09", "25", "盘亏出库"), ("shop", -1): ("09", "26", "电商出库"),
}  # fmt: skip
_VOUCHERS = {
    "01": "采购入库单",
    "08": "其他入库单",
    "09": "其他出库单",
    "10": "产成品入库单",
    "11": "材料出库单",
    "32": "销售出库单",
}
_RED = "32"  # in this one, what comes in is written as a negative quantity that goes out


def tables(world: World, spelling: Spelling) -> list[Table]:
    """Every table of the account set."""
    return _Books(world, spelling).tables()


def _changes(world: World) -> Iterator[tuple[datetime, str, str]]:
    """When each order and stock document was last touched."""
    for order in world.purchases:
        if order.entity == "HC":
            yield order.modified_at, "PO", order.number
    for move in world.moves:
        if move.entity == "HC":
            yield move.at, "Rd", move.number


@dataclass(frozen=True)
class _Document:
    """A stock document with the ids U8 gives it; `sign` is +1, or −1 if it is red."""

    id: int
    move: Move
    style: str
    business: str
    sign: int
    version: int


class _Books:
    def __init__(self, world: World, spelling: Spelling) -> None:
        self.world, self.spelling = world, spelling
        moves = [move for move in world.moves if move.entity == "HC"]
        self.orders = sorted(
            (o for o in world.purchases if o.entity == "HC"), key=lambda o: (o.created_at, o.number)
        )
        self.packs = {product.code: product.pack for product in world.products}
        self.people = {person.number: person for person in world.employees}
        self.warehouses = {move.warehouse for move in moves}
        self.balances: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for move in moves:
            for line in move.lines:
                self.balances[move.warehouse, line.product] += move.sign * line.quantity
        # What is changed again later has its place among all changes, so that the number of a row only ever grows.
        every = sorted(_changes(world.history))
        self.versions = {item[1:]: _FIRST_VERSION + bisect_right(every, item) - 1 for item in _changes(world)}
        self.order_lines = {
            (order.number, line.number): place
            for place, (order, line) in enumerate(
                ((order, line) for order in self.orders for line in order.lines), start=1_000_000_001
            )
        }
        self.documents: dict[str, list[_Document]] = {voucher: [] for voucher in _VOUCHERS}
        for move in sorted(moves, key=lambda item: (item.at, item.number)):
            self._add(move)

    def _add(self, move: Move) -> None:
        voucher, style, business = _STYLES[move.kind, move.sign]
        found = self.documents[voucher]
        sign = -1 if voucher == _RED and move.sign > 0 else 1
        version = self.versions["Rd", move.number]
        found.append(_Document(1_000_000_001 + len(found), move, style, business, sign, version))

    def tables(self) -> list[Table]:
        made = [
            vendors(self.world, self.spelling),
            customers(self.spelling),
            inventory(self.world, self.spelling),
            warehouses(self.world, self.warehouses),
            *self._purchasing(),
        ]
        for voucher in _VOUCHERS:
            made += self._stock(voucher)
        return [*made, self._current_stock()]

    # --- purchase orders ---

    def _purchasing(self) -> tuple[Table, Table]:
        header = (
            Field("POID", "integer", "主表标识", required=True),
            Field("cPOID", "text", "订单编号", required=True),
            Field("dPODate", "date", "订单日期", required=True),
            Field("cVenCode", "text", "供应商编码", refers="Vendor", required=True),
            Field("cDepCode", "text", "部门编码"),
            Field("cPersonCode", "text", "业务员编码"),
            Field("cBusType", "text", "业务类型"),
            Field("cexch_name", "text", "币种", required=True),
            Field("nflat", "decimal", "汇率", required=True),
            Field("iTaxRate", "decimal", "税率（%）"),
            Field("cState", "choice", "状态", (("0", "录入"), ("1", "审核"), ("2", "关闭"))),
            Field("cDefine1", "text", "采购申请号"),
            Field("cMaker", "text", "制单人", personal=True),
            Field("cmaketime", "text", "制单时间（本地）"),
            Field("cVerifier", "text", "审核人", personal=True),
            Field("cAuditTime", "text", "审核时间（本地）"),
            Field("cCloser", "text", "关闭人", personal=True),
            Field("ufts", "integer", "时间戳", required=True),
        )
        lines = (
            Field("ID", "integer", "子表标识", required=True),
            Field("POID", "integer", "主表标识", refers="PO_Pomain", required=True),
            Field("iVouchRowNo", "integer", "行号", required=True),
            Field("cInvCode", "text", "存货编码", refers="Inventory", required=True),
            Field("iQuantity", "decimal", "数量", required=True),
            Field("iNum", "decimal", "辅计量数量"),
            Field("iUnitPrice", "decimal", "原币无税单价"),
            Field("iTaxPrice", "decimal", "原币含税单价"),
            Field("iMoney", "decimal", "原币无税金额"),
            Field("iTax", "decimal", "原币税额"),
            Field("iSum", "decimal", "原币价税合计"),
            Field("iPerTaxRate", "decimal", "税率（%）"),
            Field("dArriveDate", "date", "计划到货日期"),
            Field("iReceivedQTY", "decimal", "累计入库数量（直接入库）"),
            Field("freceivedqty", "decimal", "累计入库数量（到货后入库）"),
            Field("iInvQTY", "decimal", "累计开票数量"),
        )
        main = list(enumerate(self.orders, start=1_000_000_001))
        return (
            Table("PO_Pomain", "采购订单主表", ("POID",), header, [self._order(id, order) for id, order in main]),
            Table("PO_Podetails", "采购订单子表", ("ID",), lines,
                  [self._order_line(id, order, line) for id, order in main for line in order.lines], "PO_Pomain", "POID"),
        )  # fmt: skip

    def _order(self, id: int, order: Order) -> Row:
        buyer = self.people.get(order.person)
        name = buyer.name if buyer else None
        rate = Decimal(1) if order.currency == "CNY" else self.world.rates[order.day]
        return (
            id, order.number, order.day.isoformat(), self.spelling.supplier_code(SYSTEM, order.party, order.number),
            buyer and buyer.department(order.day), self.spelling.employee_id(SYSTEM, order.person), "普通采购",
            _CURRENCIES[order.currency], text(rate), text(order.tax_rate * 100), "2" if order.closed else "1", order.source,
            name, local(order.created_at), "采购主管", local(order.approved_at), name if order.closed else None,
            self.versions["PO", order.number],
        )  # fmt: skip

    def _order_line(self, id: int, order: Order, line: Line) -> Row:
        received = order.done.get(line.number, Decimal(0))
        place = self.order_lines[order.number, line.number]
        # Goods of every third line go straight into the warehouse, the others over 到货: two columns to add.
        straight, arrived = (received, Decimal(0)) if place % 3 == 0 else (Decimal(0), received)
        return (
            place, id, line.number, self.spelling.product_code(SYSTEM, line.product), text(line.quantity),
            self._packs(line.product, line.quantity), text(line.price), text((line.gross / line.quantity).quantize(_MILLIONTH)),
            text(line.net), text(line.tax), text(line.gross), text(order.tax_rate * 100), line.due.isoformat(), text(straight),
            text(arrived), text(order.billed.get(line.number, Decimal(0))),
        )  # fmt: skip

    # --- stock documents ---

    def _stock(self, voucher: str) -> tuple[Table, Table]:
        title, main, sub = _VOUCHERS[voucher], f"RdRecord{voucher}", f"rdrecords{voucher}"
        party = {"01": Field("cVenCode", "text", "供应商编码", refers="Vendor"), "32": Field("cCusCode", "text", "客户编码", refers="Customer")}.get(voucher)  # fmt: skip
        header = (
            Field("ID", "integer", "主表标识", required=True),
            Field("cCode", "text", "单据号", required=True),
            Field("dDate", "date", "单据日期", required=True),
            Field("cVouchType", "text", "单据类型"),
            Field("bRdFlag", "flag", "收发标志（1 收 0 发）"),
            Field("cBusType", "text", "业务类型"),
            Field("cRdCode", "text", "收发类别编码"),
            Field("cWhCode", "text", "仓库编码", refers="Warehouse", required=True),
            *((party,) if party else ()),
            Field(_REFERENCES.get(voucher, "cBusCode"), "text", "对应业务单号"),
            Field("cMaker", "text", "制单人", personal=True),
            Field("dnmaketime", "text", "制单时间（本地）"),
            Field("cHandler", "text", "审核人", personal=True),
            Field("dVeriDate", "date", "审核日期"),
            Field("ufts", "integer", "时间戳", required=True),
        )
        lines = (
            Field("AutoID", "integer", "子表标识", required=True),
            Field("ID", "integer", "主表标识", refers=main, required=True),
            Field("irowno", "integer", "行号", required=True),
            Field("cInvCode", "text", "存货编码", refers="Inventory", required=True),
            Field("iQuantity", "decimal", "数量", required=True),
            Field("iNum", "decimal", "辅计量数量"),
            Field("iUnitCost", "decimal", "单价（成本）"),
            Field("iPrice", "decimal", "金额（成本）"),
            *({"01": (Field("iPOsID", "integer", "采购订单子表标识", refers="PO_Podetails"),),
               "32": (Field("iorderseq", "integer", "销售订单行号"),)}.get(voucher, ())),
        )  # fmt: skip
        found = self.documents[voucher]
        return (
            Table(main, f"{title}主表", ("ID",), header, [self._document(voucher, item) for item in found]),
            Table(
                sub,
                f"{title}子表",
                ("AutoID",),
                lines,
                list(self._document_lines(voucher, found)),
                main,
                "ID",
            ),
        )

    def _document(self, voucher: str, item: _Document) -> Row:
        move, day = item.move, item.move.day.isoformat()
        party: tuple[str | None, ...] = ()
        if voucher == "01":
            party = (
                move.party and self.spelling.supplier_code(SYSTEM, move.party, move.reference or move.number),
            )
        elif voucher == "32":
            party = (move.party and self.spelling.customer_code(SYSTEM, move.party, move.number),)
        return (
            item.id, move.number, day, voucher, int(voucher in {"01", "08", "10"}), item.business, item.style, move.warehouse,
            *party, move.reference, "仓管员", local(move.at), "仓库主管", day, item.version,
        )  # fmt: skip

    def _document_lines(self, voucher: str, documents: Iterable[_Document]) -> Iterator[Row]:
        place = 1_000_000_000
        for item in documents:
            for line in item.move.lines:
                place += 1
                quantity = item.sign * line.quantity
                more: tuple[int | None, ...] = ()
                if voucher == "01":
                    more = (self.order_lines.get((item.move.reference or "", line.order_line or 0)),)
                elif voucher == "32":
                    more = (line.order_line,)
                yield (
                    place, item.id, line.number, self.spelling.product_code(SYSTEM, line.product), text(quantity),
                    self._packs(line.product, quantity), text((line.cost / line.quantity).quantize(_MILLIONTH)),
                    text(item.sign * line.cost), *more,
                )  # fmt: skip

    def _current_stock(self) -> Table:
        fields = (
            Field("cWhCode", "text", "仓库编码", refers="Warehouse", required=True),
            Field("cInvCode", "text", "存货编码", refers="Inventory", required=True),
            Field("cBatch", "text", "批号"),
            Field("iQuantity", "decimal", "结存数量", required=True),
            Field("iNum", "decimal", "结存辅计量数量"),
            Field("fInQuantity", "decimal", "预计入库数量"),
            Field("fOutQuantity", "decimal", "预计出库数量"),
        )
        rows = [
            (warehouse, self.spelling.product_code(SYSTEM, product), None, text(quantity), self._packs(product, quantity), "0", "0")
            for (warehouse, product), quantity in sorted(self.balances.items())
        ]  # fmt: skip
        return Table("CurrentStock", "现存量", ("cWhCode", "cInvCode"), fields, rows)

    def _packs(self, product: str, quantity: Decimal) -> str | None:
        """The quantity in the auxiliary unit, for products that have one."""
        pack = self.packs[product]
        return text((quantity / pack).quantize(_MILLIONTH)) if pack > 1 else None


# Where each voucher names the document it serves.
_REFERENCES = {"01": "cOrderCode", "10": "cMPoCode", "11": "cMPoCode", "32": "cSOCode"}
