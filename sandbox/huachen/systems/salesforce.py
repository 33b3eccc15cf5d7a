"""Huachen Europe's Salesforce: accounts (some keyed in twice) and opportunities in EUR, and what was thrown away."""

from __future__ import annotations

from datetime import datetime

from sandbox.huachen.world import Spelling, World
from sandbox.store import Field, Row, Table

VENDOR = "salesforce"
OPTIONS = {"client_id": "3MVG9HuachenEurope.Tieout", "client_secret": "5F1C0A9D27E84B36A1D0C3B2"}
SYSTEM, ENTITY = "salesforce", "HCE"

_STAGES = {
    "初步接触": ("Prospecting", 10),
    "方案报价": ("Proposal/Price Quote", 50),
    "商务谈判": ("Negotiation/Review", 75),
    "赢单": ("Closed Won", 100),
    "输单": ("Closed Lost", 0),
}


def tables(world: World, spelling: Spelling) -> list[Table]:
    """The objects that sales in Europe works with."""
    return [_accounts(world, spelling), _opportunities(world, spelling)]


def _accounts(world: World, spelling: Spelling) -> Table:
    fields = (
        Field("Id", "text", "记录 ID", required=True),
        Field("Name", "text", "客户名称", required=True),
        Field("ERP_Customer__c", "text", "ERP 客户编码"),
        Field("VAT_Number__c", "text", "增值税登记号"),
        Field("BillingStreet", "text", "账单街道"),
        Field("BillingCity", "text", "账单城市"),
        Field("BillingCountry", "text", "账单国家"),
        Field("Phone", "text", "电话", personal=True),
        Field("OwnerId", "text", "所有人", refers="User", required=True),
        Field("CreatedDate", "instant", "创建时间", required=True),
        Field("SystemModstamp", "instant", "系统修改时间", required=True),
        Field("IsDeleted", "flag", "已删除", required=True),
    )
    known = {one.number: one.code for one in spelling.foreign_customers("sap")}
    owner = spelling.employee_id(SYSTEM, "HC0004")
    rows: list[Row] = [
        # Whoever knows the VAT number has looked the customer up in the ERP.
        (one.code, one.name, known.get(one.number) if one.credit_code else None, one.credit_code, one.address, one.city,
         one.country, one.phone, owner, _instant(one.created_at), _instant(one.modified_at), 0)
        for one in spelling.foreign_customers(SYSTEM)
    ]  # fmt: skip
    first = datetime.combine(world.first, datetime.min.time())
    gone = first.strftime("%Y-%m-%dT10:00:00Z")
    rows.append(
        ("001HC9999999999AAA", "Test Kunde GmbH", None, None, None, None, "DE", None, owner, gone, gone, 1)
    )
    return Table("Account", "客户", ("Id",), fields, rows)


def _opportunities(world: World, spelling: Spelling) -> Table:
    fields = (
        Field("Id", "text", "记录 ID", required=True),
        Field("Name", "text", "商机名称", required=True),
        Field("AccountId", "text", "客户", refers="Account", required=True),
        Field(
            "StageName",
            "choice",
            "阶段",
            tuple((code, zh) for zh, (code, _) in _STAGES.items()),
            required=True,
        ),
        Field("Probability", "integer", "可能性", required=True),
        Field("Amount", "decimal", "金额"),
        Field("CurrencyIsoCode", "text", "币种", required=True),
        Field("CloseDate", "date", "结束日期", required=True),
        Field("IsClosed", "flag", "已结束", required=True),
        Field("IsWon", "flag", "已赢得", required=True),
        Field("OwnerId", "text", "所有人", refers="User", required=True),
        Field("Opportunity_Number__c", "text", "商机编号"),
        Field("ERP_Order__c", "text", "ERP 销售订单"),
        Field("CreatedDate", "instant", "创建时间", required=True),
        Field("SystemModstamp", "instant", "系统修改时间", required=True),
        Field("IsDeleted", "flag", "已删除", required=True),
    )
    names = {one.code: one.name for one in spelling.foreign_customers(SYSTEM)}
    mine = sorted(
        (item for item in world.opportunities if item.entity == ENTITY),
        key=lambda item: (item.created_at, item.number),
    )
    rows = []
    for place, item in enumerate(mine, start=1):
        stage, chance = _STAGES[item.stage]
        account = spelling.customer_code(SYSTEM, item.customer, item.number)
        rows.append(
            (f"006HC{place:010d}AAA", f"{names[account].strip()} {item.created_at:%Y-%m}", account, stage, chance, str(item.amount),
             "EUR", item.expected.isoformat(), int(chance in (0, 100)), int(chance == 100),
             spelling.employee_id(SYSTEM, item.person), item.number, item.order, _instant(item.created_at),
             _instant(item.updated_at), 0)
        )  # fmt: skip
    return Table("Opportunity", "商机", ("Id",), fields, rows)


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
