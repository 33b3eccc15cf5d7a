"""The archives of the account set: suppliers, customers, items and warehouses, as U8 codes them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sandbox.huachen.world import Spelling, World
from sandbox.store import Field, Table

SYSTEM = "u8"
SHANGHAI = ZoneInfo("Asia/Shanghai")


def vendors(world: World, spelling: Spelling) -> Table:
    fields = (
        Field("cVenCode", "text", "供应商编码", required=True),
        Field("cVenName", "text", "供应商名称", required=True),
        Field("cVenAbbName", "text", "供应商简称"),
        Field("cVenRegCode", "text", "纳税人登记号"),
        Field("cVenPerson", "text", "联系人", personal=True),
        Field("cVenPhone", "text", "电话", personal=True),
        Field("cVenAddress", "text", "地址"),
        Field("iVenPayDays", "integer", "付款天数"),
        Field("dVenDevDate", "date", "发展日期"),
        Field("dEndDate", "date", "停用日期"),
        Field("dModifyDate", "text", "变更时间（本地）"),
    )
    parties = {party.number: party for party in world.suppliers}
    rows = []
    for item in spelling.suppliers(SYSTEM):
        party = parties[item.number]
        ended = party.merged_on if item.disabled else None
        rows.append(
            (item.code, item.name, party.short, item.credit_code, item.contact, item.phone, item.address, party.payment_days,
             item.created_at.astimezone(SHANGHAI).date().isoformat(), ended and ended.isoformat(), local(item.modified_at))
        )  # fmt: skip
    return Table("Vendor", "供应商档案", ("cVenCode",), fields, rows)


def customers(spelling: Spelling) -> Table:
    fields = (
        Field("cCusCode", "text", "客户编码", required=True),
        Field("cCusName", "text", "客户名称", required=True),
        Field("cCusRegCode", "text", "纳税人登记号"),
        Field("cCusPerson", "text", "联系人", personal=True),
        Field("cCusPhone", "text", "电话", personal=True),
        Field("cCusAddress", "text", "地址"),
        Field("dCusDevDate", "date", "发展日期"),
        Field("dModifyDate", "text", "变更时间（本地）"),
    )
    rows = [
        (item.code, item.name, item.credit_code, item.contact, item.phone, item.address,
         item.created_at.astimezone(SHANGHAI).date().isoformat(), local(item.modified_at))
        for item in spelling.customers(SYSTEM)
    ]  # fmt: skip
    return Table("Customer", "客户档案", ("cCusCode",), fields, rows)


def inventory(world: World, spelling: Spelling) -> Table:
    fields = (
        Field("cInvCode", "text", "存货编码", required=True),
        Field("cInvAddCode", "text", "存货代码"),
        Field("cInvName", "text", "存货名称", required=True),
        Field("cInvStd", "text", "规格型号"),
        Field("cInvCCode", "choice", "存货大类", (("01", "原材料"), ("02", "产成品"))),
        Field("cComUnitName", "text", "主计量单位"),
        Field("cAssComUnitName", "text", "辅计量单位"),
        Field("iChangRate", "decimal", "换算率"),
        Field("iInvRCost", "decimal", "计划价"),
        Field("bPurchase", "flag", "是否外购"),
        Field("bSelf", "flag", "是否自制"),
        Field("bSale", "flag", "是否销售"),
        Field("dSDate", "date", "启用日期"),
    )
    known = world.products_by_code
    rows = []
    for item in spelling.products(SYSTEM):
        product = known[item.product]
        material, packed = product.kind == "material", product.pack > 1
        rows.append(
            (item.code, item.old_code, item.name, item.spec, "01" if material else "02", item.unit,
             product.pack_unit if packed else None, str(product.pack) if packed else None, text(product.cost),
             int(material), int(not material), int(not material), item.created_at.astimezone(SHANGHAI).date().isoformat())
        )  # fmt: skip
    return Table("Inventory", "存货档案", ("cInvCode",), fields, rows)


def warehouses(world: World, used: set[str]) -> Table:
    fields = (
        Field("cWhCode", "text", "仓库编码", required=True),
        Field("cWhName", "text", "仓库名称", required=True),
    )
    rows = [(code, name) for code, name in world.warehouses.items() if code in used]
    return Table("Warehouse", "仓库档案", ("cWhCode",), fields, rows)


def local(at: datetime) -> str:
    """An instant as U8 writes it: wall clock, no zone."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def text(value: Decimal) -> str:
    """A decimal with exactly its digits."""
    return f"{value:f}"
