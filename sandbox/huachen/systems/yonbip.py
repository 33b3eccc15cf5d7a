"""Spare parts and services, bought on 用友 YonBIP by the people of the workshops: orders, vendors, staff.

Ids have 19 digits: texts in documents, numbers in the list of staff. The order's head is repeated on every line.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal

from sandbox.huachen.world import Spelling, World
from sandbox.huachen.world.calendar import local_day
from sandbox.huachen.world.people import SPARE_PARTS
from sandbox.huachen.world.records import Employee, Order
from sandbox.store import Field, Row, Table

VENDOR = "yonbip"
SYSTEM = "yonbip"
OPTIONS: dict[str, str] = {
    "tenant_id": "hc8f21ab",
    "app_key": "41832a3d2df94989b500da6a22268747",
    "app_secret": "hc-yb-5d1c0e8a7f36",
}
_ORGANISATION = "1500000000000000001"
_STATES = (("0", "开立"), ("1", "已审核"), ("2", "已关闭"), ("3", "审核中"))
_ENABLED = (("1", "启用"), ("2", "停用"))


def tables(world: World, spelling: Spelling) -> list[Table]:
    """Every list that the connector reads."""
    return [_orders(world, spelling), _vendors(spelling), _staff(world, spelling)]


def _orders(world: World, spelling: Spelling) -> Table:
    fields = (
        Field("id", "text", "单据ID", required=True), Field("code", "text", "单据编号", required=True),
        Field("vouchdate", "date", "单据日期", required=True), Field("status", "integer", "单据状态", _STATES),
        Field("org", "text", "采购组织"), Field("vendor", "text", "供应商ID", refers="digitalModel/vendor"),
        Field("vendor_name", "text", "供应商"), Field("operator", "text", "采购员ID", refers="digitalModel/staff"),
        Field("currency_code", "text", "币种"), Field("createTime", "instant", "创建时间"), Field("auditTime", "instant", "审核时间"),
        Field("pubts", "instant", "时间戳", required=True),
        Field("purchaseOrders_id", "text", "订单行ID", required=True), Field("lineno", "integer", "行号", required=True),
        Field("product_cCode", "text", "物料编码"), Field("product_cName", "text", "物料名称"), Field("unit_name", "text", "单位"),
        Field("qty", "decimal", "数量"), Field("oriUnitPrice", "decimal", "无税单价"), Field("listTaxRate", "decimal", "税率%"),
        Field("listOriMoney", "decimal", "无税金额"), Field("listOriTax", "decimal", "税额"), Field("listOriSum", "decimal", "含税金额"),
        Field("recieveDate", "date", "计划到货日期"), Field("totalRecieveQty", "decimal", "累计到货数量"),
    )  # fmt: skip
    names = {item.code: item.name for item in spelling.suppliers(SYSTEM)}
    rows: list[Row] = []
    for place, order in enumerate(world.spare_purchases, start=1):
        vendor = spelling.supplier_code(SYSTEM, order.party, order.number)
        asked = (
            world.whole is not None and local_day(order.approved_at) > world.last
        )  # who approves sees it tomorrow
        head = (
            f"17900000000{place:08d}", order.number, order.day.isoformat(), 3 if asked else 2 if order.closed else 1, _ORGANISATION,
            vendor, names[vendor], spelling.employee_id(SYSTEM, order.person), order.currency, _instant(order.created_at),
            None if asked else _instant(order.approved_at), _instant(order.modified_at),
        )  # fmt: skip
        rows += [
            (*head, f"18100000000{len(rows) + n:08d}", *line)
            for n, line in enumerate(_lines(world, order), start=1)
        ]
    return Table("scm/purchaseorder", "采购订单", ("purchaseOrders_id",), fields, rows)


def _lines(world: World, order: Order) -> list[Row]:
    return [
        (
            line.number * 10, line.product, SPARE_PARTS[line.product], "项" if "服务" in SPARE_PARTS[line.product] else "件",
            _text(line.quantity), _text(line.price), _text(order.tax_rate * 100), _text(line.net), _text(line.tax), _text(line.gross),
            line.due.isoformat(), _text(line.quantity if line.due <= world.last else Decimal(0)),
        )
        for line in order.lines
    ]  # fmt: skip


def _vendors(spelling: Spelling) -> Table:
    fields = (
        Field("id", "text", "供应商ID", required=True), Field("code", "text", "供应商编码", required=True), Field("name", "text", "供应商名称", required=True),
        Field("org", "text", "组织"), Field("creditcode", "text", "统一社会信用代码"), Field("address", "text", "地址"),
        Field("contactmobile", "text", "联系人手机", personal=True), Field("contactname", "text", "联系人", personal=True),
        Field("stop", "flag", "停用"), Field("createTime", "instant", "创建时间"), Field("pubts", "instant", "时间戳", required=True),
    )  # fmt: skip
    rows = [
        (
            item.code, f"G{place:05d}", item.name, _ORGANISATION, item.credit_code, item.address, item.phone, item.contact, int(item.disabled),
            _instant(item.created_at), _instant(item.modified_at),
        )
        for place, item in enumerate(spelling.suppliers(SYSTEM), start=1)
    ]  # fmt: skip
    return Table("digitalModel/vendor", "供应商", ("id",), fields, rows)


def _staff(world: World, spelling: Spelling) -> Table:
    fields = (
        Field("id", "integer", "员工ID", required=True), Field("name", "text", "姓名", required=True, personal=True),
        Field("mobile", "text", "手机", personal=True), Field("dept_id", "text", "部门ID"), Field("org_id", "text", "组织ID"),
        Field("enable", "integer", "启用状态", _ENABLED), Field("dr", "integer", "删除标志"), Field("pubts", "instant", "时间戳", required=True),
    )  # fmt: skip
    rows = [
        (
            int(spelling.employee_id(SYSTEM, person.number)), person.name, person.mobile,
            f"160000000000000{person.department(world.last):>04}", _ORGANISATION, 1 if person.works(world.last) else 2, 0, _changed(person, world),
        )
        for person in world.employees
    ]  # fmt: skip
    return Table("digitalModel/staff", "员工", ("id",), fields, rows)


def _changed(person: Employee, world: World) -> str:
    """When the record was last touched: at the last post, or when the person left."""
    days = [day for day, _ in person.posts] + ([person.left] if person.left else [])
    return _instant(
        datetime.combine(
            max(day for day in days if day <= world.last or day == person.hired), time(1, 30), UTC
        )
    )


def _text(amount: Decimal) -> str:
    return format(amount, "f")


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
