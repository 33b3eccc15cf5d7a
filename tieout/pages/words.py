"""How the page says things: codes in Chinese and English, figures exactly, instants in the company's zone.

A code nobody translated is shown as it is: a new module or unit needs no change here to be seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

NOTHING = "–"


class Both(NamedTuple):
    """One thing said twice; `en` may be empty when there is nothing to add."""

    zh: str
    en: str = ""


def said(text: str | None) -> Both:
    """Titles are kept as 'zh / en' in the ledger."""
    zh, _, en = (text or NOTHING).partition(" / ")
    return Both(zh, en)


def named(code: str | None, words: Mapping[str, Both]) -> Both:
    """The words for a code; a list of codes ('received,invoiced') is said one after the other."""
    parts = [words.get(part, Both(part)) for part in (code or "").split(",") if part]
    if not parts:
        return Both(NOTHING)
    return Both("、".join(part.zh for part in parts), ", ".join(part.en for part in parts if part.en))


# --- codes ----------------------------------------------------------------------------------------

MARK = {"holds": "✓", "explained": "≈", "broken": "✗", "passed": "✓", "failed": "✗", "error": "!"}
STATE = {
    "holds": Both("相符", "holds"),
    "explained": Both("已解释", "explained"),
    "broken": Both("未对平", "broken"),
    "passed": Both("通过", "passed"),
    "failed": Both("不符", "failed"),
    "error": Both("未能检查", "could not run"),
}
RUN_STATE = {
    "published": Both("已发布", "published"),
    "unchanged": Both("无变化", "unchanged"),
    "refused": Both("来源数据被拒收", "refused: a source could not be taken in"),
    "blocked": Both("被强规则拦下", "blocked: a strong rule does not hold"),
    "failed": Both("构建失败", "failed: models or suites did not build"),
    "interrupted": Both("中断", "interrupted"),
    "running": Both("运行中", "running"),
}
STRENGTH = {"critical": Both("强", "strong"), "warning": Both("弱", "weak")}
DEPARTMENT = {
    "sales": Both("销售", "Sales"),
    "crm": Both("客户", "CRM"),
    "warehouse": Both("仓库", "Warehouse"),
    "inventory": Both("库存", "Inventory"),
    "logistics": Both("物流", "Logistics"),
    "production": Both("生产", "Production"),
    "quality": Both("质量", "Quality"),
    "purchasing": Both("采购", "Purchasing"),
    "finance": Both("财务", "Finance"),
    "hr": Both("人事", "HR"),
    "service": Both("售后", "Service"),
    "ecommerce": Both("电商", "E-commerce"),
    "administration": Both("行政", "Administration"),
    "approvals": Both("审批", "Approvals"),
    "shared": Both("公共", "Shared"),
    "management": Both("管理层", "Management"),
    "data": Both("数据", "Data"),
    "platform": Both("平台", "Platform"),
}
CONNECTOR = {
    "postgres": Both("PostgreSQL 数据库", "database"),
    "mysql": Both("MySQL 数据库", "database"),
    "sqlite": Both("SQLite 数据库", "database"),
    "sqlserver": Both("SQL Server 数据库", "database"),
    "oracle": Both("Oracle 数据库", "database"),
    "http": Both("HTTP 接口", "interface"),
    "files": Both("文件", "files"),
}
UNIT = {
    "CNY": Both("元", "CNY"),
    "h": Both("小时", "hours"),
    "hour": Both("小时", "hours"),
    "hours": Both("小时", "hours"),
    "piece": Both("件", "pieces"),
    "base unit of the product": Both("产品基本单位", "base unit of the product"),
    "as stated by the source": Both("来源自报的单位", "as stated by the source"),
    "ratio": Both("比率", "ratio, 0 to 1"),
    "base_uom_code": Both("基本单位", "base unit of the product"),
    "currency_code": Both("原币", "currency of the document"),
    "opportunity": Both("个机会", "opportunities"),
}
TAX = {
    "excluded": Both("不含税", "tax excluded"),
    "included": Both("含税", "tax included"),
    "none": Both("与税无关", "no tax"),
}
TIME_ROLE = {
    "ordered": Both("下单日", "order date"),
    "shipped": Both("发货日", "ship date"),
    "received": Both("收货日", "receipt date"),
    "invoiced": Both("开票日", "invoice date"),
    "posted": Both("记账日", "posting date"),
    "paid": Both("付款日", "payment date"),
    "produced": Both("完工日", "day finished"),
    "worked": Both("工作日", "day worked"),
    "signed": Both("签收日", "day signed for"),
    "refunded": Both("退款日", "refund date"),
    "settled": Both("结算日", "settlement date"),
    "requested": Both("申请日", "day requested"),
    "decided": Both("审批日", "day decided"),
    "started": Both("发起日", "start date"),
    "issued": Both("领料日", "issue date"),
    "checked": Both("检验日", "day checked"),
    "counted": Both("盘点日", "day counted"),
    "moved": Both("移动日", "day moved"),
    # in brackets: a bare key of this name looks like an entry of a lock file to whoever searches for those
    ("resolved"): Both("解决日", "day resolved"),
    "closed": Both("关闭日", "day closed"),
    "planned": Both("计划日", "planned day"),
    "opened": Both("立项日", "day opened"),
    "balance": Both("余额日", "balance date"),
}
SUSPECT = {
    "missing_left": Both("左侧缺单据", "missing on the left"),
    "missing_right": Both("右侧缺单据", "missing on the right"),
    "duplicate": Both("重复入账", "booked twice"),
    "amount": Both("金额不同", "amounts differ"),
    "quantity": Both("数量不同", "quantities differ"),
    "cutoff": Both("跨期", "in another period"),
    "mapping": Both("挂到别处", "booked under another member"),
    "tax": Both("含税与不含税之差", "with tax against without"),
    "rounding": Both("尾差", "rounding"),
}
# Kinds of `marts.fct_data_case`: what documents contradict, and what else the data leaves open.
CASE = {
    "customer_under_the_code_of_another": Both(
        "客户用了另一客户的编码", "customer under the code of another"
    ),
    "customer_under_two_codes": Both("同一客户两个编码", "customer under two codes"),
    "order_under_another_customer": Both("订单挂错客户", "order under another customer"),
    "order_in_another_currency": Both("订单币种错", "order in another currency"),
    "order_taxed_at_another_rate": Both("订单税率错", "order taxed at another rate"),
    "order_line_lost": Both("订单行丢失", "line of an order lost"),
    "delivery_of_another_product": Both("发错产品", "another product delivered"),
    "delivery_of_another_quantity": Both("发货数量不符", "another quantity delivered"),
    "delivery_never_invoiced": Both("已出库未开票", "delivery never invoiced"),
    "receipt_in_another_unit": Both("收货计量单位错", "goods received in another unit"),
    "output_never_came_into_stock": Both("完工未入库", "output never came into stock"),
    "invoice_came_twice": Both("发票重复", "invoice came twice"),
    "invoice_without_voucher": Both("发票没有凭证", "invoice without voucher"),
    "invoice_net_holds_gross": Both("未税金额填成含税", "net amount of an invoice holds tax"),
    "invoice_amount_is_not_quantity_times_price": Both(
        "发票金额不等于数量乘单价", "invoice is not quantity times price"
    ),
    "invoice_tax_off_by_rounding": Both("发票税额尾差", "tax of invoices rounded another way"),
    "invoice_dated_before_its_delivery": Both("发票早于出库", "invoice before its delivery"),
    "invoice_dated_into_another_month": Both("发票跨月", "invoice dated into another month"),
    "invoice_keyed_in_after_the_close": Both("关账后补录发票", "invoice keyed in after the close"),
    "payment_without_approval": Both("付款没有审批", "payment without approval"),
    "payment_before_approval": Both("先付款后审批", "payment before approval"),
    "supplier_invoice_paid_twice": Both("重复付款", "supplier invoice paid twice"),
    "receipt_of_another_customer": Both("收款挂错客户", "receipt under another customer"),
    "purchase_from_parent_at_another_rate": Both(
        "公司间采购汇率错", "purchase from the parent at another rate"
    ),
    "refund_lost": Both("退款单丢失", "refund lost"),
    "shop_order_not_in_voucher": Both("店铺订单未入凭证", "shop order not in the voucher"),
    "shop_clock_was_wrong": Both("店铺系统时钟错", "clock of the shop was wrong"),
    "stock_document_timed_in_utc": Both("库存单据按 UTC 记时", "stock document timed in UTC"),
    "would_join_two_legal_entities": Both("合并会跨两个法人", "would join two legal entities"),
    "doubtful_pair": Both("疑似重复", "doubtful pair"),
    "decided_different_but_alike": Both("已判定不同但很像", "decided different but alike"),
    "decided_same_with_two_codes": Both("已判定相同但信用代码不同", "decided the same with two credit codes"),
    "decision_on_unknown_record": Both("对未知记录的决定", "decision on an unknown record"),
    "decisions_contradict": Both("决定互相矛盾", "decisions contradict"),
    "unit_not_convertible": Both("单位无法换算", "unit not convertible"),
    "unit_of_a_product_changed": Both("产品单位变更", "unit of a product changed"),
    "code_reused_for_another_thing": Both("编码被重用", "code reused for another thing"),
    "no_exchange_rate": Both("缺汇率", "no exchange rate"),
    "unmatched_member": Both("未对上主数据", "member not matched"),
    "person_in_two_departments": Both("一人两个部门", "person in two departments"),
    "organisation_moved_within_a_month": Both("部门月中调整", "department moved within a month"),
}
RULE = {
    "type": Both("类型不符", "type"),
    "required": Both("缺必填值", "required"),
    "min": Both("低于下限", "below minimum"),
    "max": Both("高于上限", "above maximum"),
    "values": Both("不在允许值内", "not an allowed value"),
    "pattern": Both("格式不符", "pattern"),
    "not_future": Both("日期在未来", "in the future"),
    "key": Both("同一主键内容不同", "one key, different values"),
    "duplicate": Both("同一行重复", "same row twice"),
}
ROWS = Both("行数", "rows")


def of_case(kind: str, *, known: bool) -> Both:
    """What a case is about: a contradiction by its kind, anything else by what it looks like."""
    return named(kind, CASE if known else SUSPECT)


def measure_name(measure: str) -> Both:
    """What a control total counts: `rows` or `sum_<column>`."""
    return ROWS if measure == "rows" else Both(measure.removeprefix("sum_") + " 合计", "sum")


# --- figures --------------------------------------------------------------------------------------


def is_money(unit: str) -> bool:
    """Units of money are written as ISO 4217 codes."""
    return len(unit) == 3 and unit.isascii() and unit.isupper()


def figure(value: Decimal | float | None, unit: str = "", *, signed: bool = False) -> str:
    """A number exactly: thousands separated, money with two decimals or as many more as it has.

    Nothing is rounded away, so what is read from the page is what the tables hold.
    """
    if value is None:
        return NOTHING
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    fraction = f"{number:f}".partition(".")[2].rstrip("0")  # not normalize(): it rounds to 28 digits
    decimals = max(len(fraction), 2 if is_money(unit) else 0)
    # abs: no negative zero
    return f"{number or abs(number):{'+' if signed and number else ''},.{decimals}f}"


def short(value: float) -> Both:
    """A rounded figure for an axis: 万 and 亿 in Chinese, k and M in English."""
    size = abs(value)
    if size >= 1e8:
        zh = f"{value / 1e8:.4g} 亿"
    elif size >= 1e4:
        zh = f"{value / 1e4:.4g} 万"
    else:
        zh = f"{value:.4g}"
    if size >= 1e9:
        en = f"{value / 1e9:.4g} bn"
    elif size >= 1e6:
        en = f"{value / 1e6:.4g} M"
    elif size >= 1e3:
        en = f"{value / 1e3:.4g} k"
    else:
        en = f"{value:.4g}"
    return Both(zh, en)


def month(day: date | None) -> str:
    return f"{day:%Y-%m}" if day else "无日期 undated"


class Clock:
    """Shows instants in the zone of the connected systems; in UTC if they do not share one."""

    def __init__(self, zones: set[str]) -> None:
        self._zone = _zone(next(iter(zones))) if len(zones) == 1 else UTC

    def __call__(self, moment: datetime | None) -> str:
        if moment is None:
            return NOTHING
        local = moment.astimezone(self._zone)
        offset = f"{local:%z}"  # +0800
        hours, minutes = offset[:3], offset[3:5]
        zone = "UTC" if offset == "+0000" else f"UTC{hours[0]}{int(hours[1:])}"
        return f"{local:%Y-%m-%d %H:%M} {zone}{'' if minutes == '00' else ':' + minutes}"


def _zone(name: str):
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:  # a slim container without a zone database
        return UTC
