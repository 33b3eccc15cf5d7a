"""Huachen Europe GmbH (HCE) in SAP S/4HANA: company code HCE1, EUR, everything sold by drop shipment from the parent.

As SAP keeps it: items count in tens, a credit memo has positive amounts and another type, a posting is signed and says
S (debit) or H (credit) beside it, a business partner that never changed has no change date. Orders of the web shop carry
the shop's number as the customer's reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from sandbox.huachen.world import Spelling, World
from sandbox.huachen.world.records import Bill, Order, Voucher
from sandbox.store import Field, Row, Table

VENDOR = "sap"
OPTIONS = {"user": "TIEOUT_READ", "password": "Stuttgart-2026-lesen", "client": "100"}
SYSTEM = "sap"
ENTITY, COMPANY, PLANT, CURRENCY = "HCE", "HCE1", "HCE1", "EUR"

_ORDERS, _BILLS, _PRODUCTS = "API_SALES_ORDER_SRV", "API_BILLING_DOCUMENT_SRV", "API_PRODUCT_SRV"
_PARTNERS = "api_business_partner/srvd_a2x/sap/businesspartner/0001"
_JOURNAL = "API_OPLACCTGDOCITEMCUBE_SRV"
_PROGRESS = (("A", "未处理"), ("B", "部分处理"), ("C", "已完成"))
_DOCUMENTS = {"opening": "SA", "purchase": "KR", "billing": "DR", "receipt": "DZ", "payment": "KZ"}
_PARENT_AS_SUPPLIER = "90000001"
_PAYABLE = "160000"


def tables(world: World, spelling: Spelling) -> list[Table]:
    """Every entity set that the subsidiary's system is asked for."""
    orders = [order for order in world.orders if order.entity == ENTITY]
    bills = [bill for bill in world.invoices if bill.entity == ENTITY]
    vouchers = [voucher for voucher in world.vouchers if voucher.entity == ENTITY]
    postings = {
        voucher.reference: _document_number(voucher) for voucher in vouchers if voucher.kind == "billing"
    }
    units = {item.product: item.unit for item in spelling.products(SYSTEM)}
    return [
        *_sales_orders(orders, spelling, units),
        *_billing_documents(bills, spelling, units, postings),
        *_products(world, spelling),
        _partners(spelling),
        _journal(vouchers, spelling),
    ]


def _sales_orders(orders: list[Order], spelling: Spelling, units: dict[str, str]) -> list[Table]:
    head = (
        Field("SalesOrder", "text", "销售订单", required=True),
        Field("SalesOrderType", "choice", "销售凭证类型", (("OR", "标准订单"),), required=True),
        Field("SalesOrganization", "text", "销售组织", required=True),
        Field("DistributionChannel", "choice", "分销渠道", (("10", "直销"), ("20", "网店")), required=True),
        Field("SoldToParty", "text", "售达方", refers=f"{_PARTNERS}/BusinessPartner", required=True),
        Field("PurchaseOrderByCustomer", "text", "客户参考"),
        Field("SalesOrderDate", "date", "凭证日期", required=True),
        Field("CreationDate", "date", "创建日期", required=True),
        Field("RequestedDeliveryDate", "date", "请求交货日期"),
        Field("TransactionCurrency", "text", "凭证货币", required=True),
        Field("TotalNetAmount", "decimal", "净值", required=True),
        Field("OverallDeliveryStatus", "choice", "总交货状态", _PROGRESS),
        Field("OverallOrdReltdBillgStatus", "choice", "与订单相关的开票状态", _PROGRESS),
        Field("OverallSDProcessStatus", "choice", "总体处理状态", _PROGRESS),
        Field("CreatedByUser", "text", "创建者", personal=True),
        Field("LastChangeDateTime", "instant", "最后更改时间", required=True),
    )
    item = (
        Field("SalesOrder", "text", "销售订单", required=True),
        Field("SalesOrderItem", "text", "销售订单行", required=True),
        Field("Material", "text", "物料", refers=f"{_PRODUCTS}/A_Product", required=True),
        Field("SalesOrderItemText", "text", "行项目文本"),
        Field("RequestedQuantity", "decimal", "请求数量", required=True),
        Field("RequestedQuantityUnit", "text", "请求数量单位", required=True),
        Field("NetAmount", "decimal", "净值", required=True),
        Field("TaxAmount", "decimal", "税额", required=True),
        Field("TransactionCurrency", "text", "凭证货币", required=True),
        Field("ProductionPlant", "text", "工厂"),
        Field("SalesDocumentRjcnReason", "text", "拒绝原因"),
        Field("DeliveryStatus", "choice", "交货状态", _PROGRESS),
    )
    names = {one.product: one.name for one in spelling.products(SYSTEM)}
    heads: list[Row] = []
    items: list[Row] = []
    for order in orders:
        web = (order.source or "").removeprefix("web:") if (order.source or "").startswith("web:") else None
        delivered = _progress([(order.done.get(one.number), one.quantity) for one in order.lines])
        billed = _progress([(order.billed.get(one.number), one.quantity) for one in order.lines])
        heads.append(
            (order.number, "OR", COMPANY, "20" if web else "10", spelling.customer_code(SYSTEM, order.party, order.number), web,
             order.day.isoformat(), order.created_at.date().isoformat(), max(one.due for one in order.lines).isoformat(),
             order.currency, str(sum((one.net for one in order.lines), Decimal(0))), delivered, billed,
             "C" if delivered == billed == "C" else "A" if delivered == billed == "A" else "B",
             spelling.employee_id(SYSTEM, order.person), _instant(order.modified_at))
        )  # fmt: skip
        items += [
            (order.number, _tens(one.number), spelling.product_code(SYSTEM, one.product), names[one.product], str(one.quantity),
             units[one.product], str(one.net), str(one.tax), order.currency, PLANT, None,
             _progress([(order.done.get(one.number), one.quantity)]))
            for one in order.lines
        ]  # fmt: skip
    parent = f"{_ORDERS}/A_SalesOrder"
    return [
        Table(parent, "销售订单", ("SalesOrder",), head, heads),
        Table(
            f"{_ORDERS}/A_SalesOrderItem",
            "销售订单行",
            ("SalesOrder", "SalesOrderItem"),
            item,
            items,
            parent,
            "SalesOrder",
        ),
    ]


def _billing_documents(
    bills: list[Bill], spelling: Spelling, units: dict[str, str], postings: dict[str, str]
) -> list[Table]:
    head = (
        Field("BillingDocument", "text", "开票凭证", required=True),
        Field(
            "BillingDocumentType", "choice", "开票类型", (("F2", "发票"), ("G2", "贷项凭证")), required=True
        ),
        Field("BillingDocumentDate", "date", "开票日期", required=True),
        Field("CompanyCode", "text", "公司代码", required=True),
        Field("FiscalYear", "text", "会计年度", required=True),
        Field("PayerParty", "text", "付款方", refers=f"{_PARTNERS}/BusinessPartner", required=True),
        Field("TransactionCurrency", "text", "凭证货币", required=True),
        Field("TotalNetAmount", "decimal", "净值", required=True),
        Field("TaxAmount", "decimal", "税额", required=True),
        Field("TotalGrossAmount", "decimal", "含税总额", required=True),
        Field("BillingDocumentIsCancelled", "flag", "已取消", required=True),
        Field("CancelledBillingDocument", "text", "被取消的开票凭证"),
        Field("AccountingDocument", "text", "会计凭证"),
        Field("CreationDate", "date", "创建日期", required=True),
        Field("LastChangeDateTime", "instant", "最后更改时间", required=True),
    )
    item = (
        Field("BillingDocument", "text", "开票凭证", required=True),
        Field("BillingDocumentItem", "text", "开票凭证行", required=True),
        Field("Material", "text", "物料", refers=f"{_PRODUCTS}/A_Product", required=True),
        Field("BillingQuantity", "decimal", "开票数量", required=True),
        Field("BillingQuantityUnit", "text", "开票数量单位", required=True),
        Field("NetAmount", "decimal", "净值", required=True),
        Field("TaxAmount", "decimal", "税额", required=True),
        Field("TransactionCurrency", "text", "凭证货币", required=True),
        Field("SalesDocument", "text", "销售凭证", refers=f"{_ORDERS}/A_SalesOrder"),
        Field("SalesDocumentItem", "text", "销售凭证行"),
    )
    heads: list[Row] = []
    items: list[Row] = []
    for bill in bills:
        sign = -1 if bill.gross < 0 else 1
        heads.append(
            (bill.number, "F2" if sign > 0 else "G2", bill.day.isoformat(), COMPANY, str(bill.day.year),
             spelling.customer_code(SYSTEM, bill.party, bill.number), bill.currency, str(sign * bill.net), str(sign * bill.tax),
             str(sign * bill.gross), 0, None, postings.get(bill.number), bill.at.date().isoformat(), _instant(bill.at))
        )  # fmt: skip
        items += [
            (bill.number, _tens(one.number), spelling.product_code(SYSTEM, one.product), str(sign * one.quantity),
             units[one.product], str(sign * one.net), str(sign * one.tax), bill.currency, one.order, _tens(one.order_line))
            for one in bill.lines
        ]  # fmt: skip
    parent = f"{_BILLS}/A_BillingDocument"
    return [
        Table(parent, "开票凭证", ("BillingDocument",), head, heads),
        Table(
            f"{_BILLS}/A_BillingDocumentItem",
            "开票凭证行",
            ("BillingDocument", "BillingDocumentItem"),
            item,
            items,
            parent,
            "BillingDocument",
        ),
    ]


def _products(world: World, spelling: Spelling) -> list[Table]:
    head = (
        Field("Product", "text", "物料", required=True),
        Field("ProductType", "choice", "物料类型", (("FERT", "产成品"), ("ROH", "原材料")), required=True),
        Field("BaseUnit", "text", "基本计量单位", required=True),
        Field("ProductGroup", "text", "物料组"),
        Field("ProductOldID", "text", "旧物料号"),
        Field("IsMarkedForDeletion", "flag", "标记为删除", required=True),
        Field("CreationDate", "date", "创建日期", required=True),
        Field("LastChangeDateTime", "instant", "最后更改时间", required=True),
    )
    words = (
        Field("Product", "text", "物料", required=True),
        Field("Language", "text", "语言", required=True),
        Field("ProductDescription", "text", "物料描述", required=True),
    )
    # The subsidiary makes nothing: it knows the goods, not their materials.
    known = [one for one in spelling.products(SYSTEM) if world.product(one.product).kind == "finished"]
    heads = [
        (one.code, "FERT", one.unit, "HC02", one.product, 0, one.created_at.date().isoformat(), _instant(one.created_at))
        for one in known
    ]  # fmt: skip
    parent = f"{_PRODUCTS}/A_Product"
    return [
        Table(parent, "物料", ("Product",), head, heads),
        Table(
            f"{_PRODUCTS}/A_ProductDescription",
            "物料描述",
            ("Product", "Language"),
            words,
            [(one.code, "ZH", f"{one.name} {one.spec}") for one in known],
            parent,
            "Product",
        ),
    ]


def _partners(spelling: Spelling) -> Table:
    fields = (
        Field("BusinessPartner", "text", "业务伙伴", required=True),
        Field("BusinessPartnerFullName", "text", "全名", required=True),
        Field("BusinessPartnerCategory", "choice", "类别", (("2", "组织"),), required=True),
        Field("Customer", "text", "客户"),
        Field("SearchTerm1", "text", "搜索项"),
        Field("TaxNumber", "text", "增值税登记号"),
        Field("Country", "text", "国家/地区"),
        Field("CityName", "text", "城市"),
        Field("StreetName", "text", "街道"),
        Field("PhoneNumber", "text", "电话", personal=True),
        Field("BusinessPartnerIsBlocked", "flag", "已冻结", required=True),
        Field("CreationDate", "date", "创建日期", required=True),
        Field("LastChangeDate", "date", "更改日期"),
    )
    rows = []
    for one in spelling.foreign_customers(SYSTEM):
        created, changed = one.created_at.date(), one.modified_at.date()
        rows.append(
            (one.code, one.name, "2", one.code, one.name.split()[0].upper(), one.credit_code, one.country, one.city, one.address,
             one.phone, int(one.disabled), created.isoformat(), changed.isoformat() if changed > created else None)
        )  # fmt: skip
    return Table(f"{_PARTNERS}/BusinessPartner", "业务伙伴", ("BusinessPartner",), fields, rows)


def _journal(vouchers: list[Voucher], spelling: Spelling) -> Table:
    fields = (
        Field("CompanyCode", "text", "公司代码", required=True),
        Field("FiscalYear", "text", "会计年度", required=True),
        Field("AccountingDocument", "text", "会计凭证", required=True),
        Field("AccountingDocumentItem", "text", "会计凭证行", required=True),
        Field("AccountingDocumentType", "choice", "凭证类型", tuple((v, k) for k, v in _DOCUMENTS.items())),
        Field("FiscalPeriod", "text", "会计期间", required=True),
        Field("PostingDate", "date", "过账日期", required=True),
        Field("GLAccount", "text", "总账科目", required=True),
        Field("AmountInCompanyCodeCurrency", "decimal", "公司代码货币金额", required=True),
        Field("CompanyCodeCurrency", "text", "公司代码货币", required=True),
        Field("DebitCreditCode", "choice", "借贷标识", (("S", "借方"), ("H", "贷方")), required=True),
        Field("Customer", "text", "客户", refers=f"{_PARTNERS}/BusinessPartner"),
        Field("Supplier", "text", "供应商"),
        Field("DocumentReferenceID", "text", "参考"),
        Field("DocumentItemText", "text", "文本"),
    )
    key = ("CompanyCode", "FiscalYear", "AccountingDocument", "AccountingDocumentItem")
    rows = [row for voucher in vouchers for row in _posting(voucher, spelling)]
    return Table(f"{_JOURNAL}/A_OperationalAcctgDocItemCube", "会计凭证行", key, fields, rows)


def _posting(voucher: Voucher, spelling: Spelling) -> Iterator[Row]:
    year, month = divmod(voucher.period, 100)
    for place, line in enumerate(voucher.lines, start=1):
        customer = spelling.customer_code(SYSTEM, line.party, voucher.reference) if line.party else None
        yield (
            COMPANY, str(year), _document_number(voucher), str(place), _DOCUMENTS.get(voucher.kind, "SA"), f"{month:03d}",
            voucher.day.isoformat(), line.account, str(line.debit - line.credit), CURRENCY, "S" if line.debit else "H",
            customer, _PARENT_AS_SUPPLIER if line.account == _PAYABLE else None, voucher.reference, line.text,
        )  # fmt: skip


def _document_number(voucher: Voucher) -> str:
    """Unique within company code and year."""
    return f"18{voucher.period % 100:02d}{voucher.number:06d}"


def _progress(parts: list[tuple[Decimal | None, Decimal]]) -> str:
    """A nothing, B some, C all of what was wanted."""
    if all(done is not None and done >= wanted for done, wanted in parts):
        return "C"
    return "B" if any(done for done, _ in parts) else "A"


def _tens(number: int) -> str:
    return str(number * 10)


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
