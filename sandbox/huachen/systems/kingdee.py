"""Orders, receivables, payables and the books of the parent in 金蝶云星空: one table a form, one row a line of it.

As the system keeps it: the head is repeated on every line of a form, references hold codes, tax rates are percent,
amounts of the document's currency. Everything is the parent's (组织 100); the subsidiary has books of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TypeVar

from sandbox.huachen.world import Spelling, World
from sandbox.huachen.world.records import Bill, Order, Payment, Voucher
from sandbox.store import Field, Kind, Row, Table

VENDOR = "kingdee"
SYSTEM = "kingdee"
OPTIONS: dict[str, str] = {
    "acct_id": "66f1c0a9e4b07d",
    "user": "数据集成",
    "app_id": "350017_SHVhY2hlbi1TYW5kYm94LTIwMjYta2V5",
    "app_secret": "hc-kd-7b0f4e2c9a51",
    "limit_max": "10000",
}
ORGANISATION, BOOK = "100", "001"
_Document = TypeVar("_Document", Order, Bill, Payment, Voucher)

_STATES = (("Z", "暂存"), ("A", "创建"), ("B", "审核中"), ("C", "已审核"), ("D", "重新审核"))
_FORBIDDEN = (("A", "否"), ("B", "是"))
_CLOSED = (("A", "未关闭"), ("B", "已关闭"))
_SETTLED = (("A", "空"), ("B", "部分核销"), ("C", "完全核销"))


def tables(world: World, spelling: Spelling) -> list[Table]:
    """Every form that the connector reads."""
    return _Kingdee(world, spelling).tables()


class _Kingdee:
    def __init__(self, world: World, spelling: Spelling) -> None:
        self.world, self.spelling = world, spelling
        self.invoices = _own(world.invoices)
        self.supplier_invoices = _own(world.supplier_invoices)
        self.receipts, self.payments = _own(world.receipts), _own(world.payments)
        # The customer's code is chosen on the order; what follows from the order takes it over.
        self.roots: dict[str, str] = {
            move.number: str(move.reference) for move in world.moves if move.reference
        }
        self.roots |= {bill.number: bill.lines[0].order for bill in self.invoices if bill.lines}
        for paid in self.receipts:
            if paid.settles:
                self.roots[paid.number] = self.roots.get(paid.settles[0][0], paid.number)

    def tables(self) -> list[Table]:
        return [
            self._customers(),
            self._suppliers(),
            self._materials(),
            self._accounts(),
            self._rates(),
            self._orders(),
            self._bills("AR_receivable", "应收单", self.invoices, self.receipts, "FCUSTOMERID.FNumber", "客户", "BD_Customer"),
            self._money("AR_RECEIVEBILL", "收款单", self.receipts, "RECEIVE", "REC", "FCONTACTUNIT.FNumber", "BD_Customer"),
            self._bills("AP_Payable", "应付单", self.supplier_invoices, self.payments, "FSUPPLIERID.FNumber", "供应商", "BD_Supplier"),
            self._money("AP_PAYBILL", "付款单", self.payments, "PAY", "PAY", "FCONTACTUNIT.FNumber", "BD_Supplier"),
            self._vouchers(),
        ]  # fmt: skip

    def party(self, number: str, document: str) -> str:
        if number.startswith("S"):
            return self.spelling.supplier_code(SYSTEM, number, self.roots.get(document, document))
        return self.spelling.customer_code(SYSTEM, number, self.roots.get(document, document))

    # --- what things are called ---

    def _customers(self) -> Table:
        fields = (
            _field("FCUSTID", "integer", "客户内码", required=True), _field("FNumber", "text", "客户编码", required=True),
            _field("FName", "text", "客户名称", required=True), _field("FSOCIALCRECODE", "text", "统一社会信用代码"),
            _field("FCOUNTRY.FNumber", "text", "国家"), _field("FPROVINCIAL.FNumber", "text", "地区"), _field("FADDRESS", "text", "通讯地址"),
            _field("FTEL", "text", "联系电话", personal=True), _field("FCUSTCONTACT", "text", "联系人", personal=True), *_kept(),
        )  # fmt: skip
        rows = [
            (
                100_000 + item.place, item.code, item.name, item.credit_code, item.country, item.city, item.address, item.phone,
                item.contact, *_kept_values(item.created_at, item.modified_at, forbidden=item.disabled),
            )
            for item in self.spelling.customers(SYSTEM)
        ]  # fmt: skip
        return Table("BD_Customer", "客户", ("FCUSTID",), fields, rows)

    def _suppliers(self) -> Table:
        fields = (
            _field("FSupplierId", "integer", "供应商内码", required=True), _field("FNumber", "text", "供应商编码", required=True),
            _field("FName", "text", "供应商名称", required=True), _field("FSOCIALCRECODE", "text", "统一社会信用代码"),
            _field("FProvincial.FNumber", "text", "地区"), _field("FAddress", "text", "通讯地址"), _field("FTel", "text", "联系电话", personal=True),
            _field("FContact", "text", "联系人", personal=True), *_kept(),
        )  # fmt: skip
        rows = [
            (
                200_000 + item.place, item.code, item.name, item.credit_code, item.city, item.address, item.phone, item.contact,
                *_kept_values(item.created_at, item.modified_at, forbidden=item.disabled),
            )
            for item in self.spelling.suppliers(SYSTEM)
        ]  # fmt: skip
        return Table("BD_Supplier", "供应商", ("FSupplierId",), fields, rows)

    def _materials(self) -> Table:
        fields = (
            _field("FMATERIALID", "integer", "物料内码", required=True), _field("FNumber", "text", "物料编码", required=True),
            _field("FName", "text", "物料名称", required=True), _field("FSpecification", "text", "规格型号"),
            _field("FOldNumber", "text", "旧物料编码"), _field("FMaterialGroup.FNumber", "text", "物料分组"),
            _field("FBaseUnitId.FNumber", "text", "基本单位"), *_kept(),
        )  # fmt: skip
        rows = [
            (
                300_000 + place, item.code, item.name, item.spec, item.old_code, item.code.partition(".")[0], item.unit,
                *_kept_values(item.created_at, item.created_at),
            )
            for place, item in enumerate(self.spelling.products(SYSTEM), start=1)
        ]  # fmt: skip
        return Table("BD_MATERIAL", "物料", ("FMATERIALID",), fields, rows)

    def _accounts(self) -> Table:
        """The chart of accounts; an account below another has its code in front of its own."""
        fields = (
            _field("FACCTID", "integer", "科目内码", required=True), _field("FNUMBER", "text", "科目编码", required=True),
            _field("FNAME", "text", "科目名称", required=True), _field("FPARENTID.FNumber", "text", "上级科目"), *_kept(),
        )  # fmt: skip
        opened = datetime.combine(self.world.first, time(1), UTC)
        codes = self.world.accounts
        rows = [
            (
                500_000 + place, code, codes[code], code[:4] if code[:4] != code else None, *_kept_values(opened, opened),
            )
            for place, code in enumerate(sorted(codes), start=1)
        ]  # fmt: skip
        return Table("BD_Account", "科目", ("FACCTID",), fields, rows)

    def _rates(self) -> Table:
        """What finance keeps for the whole group, by day: the price of one unit of `FCYFORID` in `FCYTOID`."""
        fields = (
            _field("FRATEID", "integer", "汇率内码", required=True), _field("FRATETYPEID.FNumber", "text", "汇率类型"),
            _field("FCYFORID.FNumber", "text", "原币"), _field("FCYTOID.FNumber", "text", "目标币"), _field("FEXCHANGERATE", "decimal", "直接汇率"),
            _field("FBEGDATE", "date", "生效日期"), _field("FENDDATE", "date", "失效日期"), *_kept(),
        )  # fmt: skip
        rows = [
            (
                400_000 + place, "HLTX01_SYS", "EUR", "CNY", _text(rate), day, day,
                *_kept_values(datetime.combine(day, time(1), UTC), datetime.combine(day, time(1), UTC)),
            )
            for place, (day, rate) in enumerate(sorted(self.world.rates.items()), start=1)
        ]  # fmt: skip
        return Table("BD_Rate", "汇率", ("FRATEID",), fields, rows)

    # --- orders ---

    def _orders(self) -> Table:
        entry = "FSaleOrderEntry"
        fields = (
            *_head("销售订单"), _field("FSaleOrgId.FNumber", "text", "销售组织"), _field("FCustId.FNumber", "text", "客户编码", refers="BD_Customer"),
            _field("FSalerId.FNumber", "text", "销售员编码"), _field("FSettleCurrId.FNumber", "text", "结算币别"),
            _field("FCloseStatus", "choice", "关闭状态", _CLOSED), _field("F_HC_SourceNo", "text", "来源单号"),
            _field(f"{entry}_FEntryID", "integer", "分录内码", required=True), _field(f"{entry}_FSEQ", "integer", "行号", required=True),
            _field("FMaterialId.FNumber", "text", "物料编码", refers="BD_MATERIAL"), _field("FUnitID.FNumber", "text", "销售单位"),
            _field("FQty", "decimal", "销售数量"), _field("FPrice", "decimal", "单价"), _field("FTaxPrice", "decimal", "含税单价"),
            _field("FEntryTaxRate", "decimal", "税率%"), _field("FAmount", "decimal", "金额"), _field("FEntryTaxAmount", "decimal", "税额"),
            _field("FAllAmount", "decimal", "价税合计"), _field("FDeliveryDate", "date", "要货日期"),
            _field("FStockOutQty", "decimal", "累计出库数量"), _field("FInvoiceQty", "decimal", "累计开票数量"),
        )  # fmt: skip
        units = {item.code: item.unit for item in self.spelling.products(SYSTEM)}
        rows: list[Row] = []
        for place, order in enumerate(_own(self.world.orders), start=1):
            approved = order.approved_at if order.approved_at.date() <= self.world.last else None
            head = (
                *self._head(100_000 + place, order.number, order.day, order.created_at, order.modified_at, approved, self._state(approved)),
                ORGANISATION, self.party(order.party, order.number), self.spelling.employee_id(SYSTEM, order.person),
                order.currency, "B" if order.closed else "A", order.source,
            )  # fmt: skip
            rows += [
                (*head, 100_000 + len(rows) + n, *line)
                for n, line in enumerate(self._order_lines(order, units), start=1)
            ]
        return Table("SAL_SaleOrder", "销售订单", (f"{entry}_FEntryID",), fields, rows)

    def _order_lines(self, order: Order, units: dict[str, str]) -> Iterable[Row]:
        zero = Decimal(0)
        for line in order.lines:
            code = self.spelling.product_code(SYSTEM, line.product)
            yield (
                line.number, code, units[code], _text(line.quantity), _text(line.price), _text(line.price * (1 + order.tax_rate)),
                _text(order.tax_rate * 100), _text(line.net), _text(line.tax), _text(line.gross), line.due.isoformat(),
                _text(order.done.get(line.number, zero)), _text(order.billed.get(line.number, zero)),
            )  # fmt: skip

    # --- what is owed, and what was paid ---

    def _bills(
        self, form: str, title: str, bills: list[Bill], payments: list[Payment], party: str, party_title: str, party_form: str
    ) -> Table:  # fmt: skip
        entry = "FEntityDetail"
        fields = (
            *_head(title, "FDATE"), _field("FSETTLEORGID.FNumber", "text", "结算组织"), _field(party, "text", f"{party_title}编码", refers=party_form),
            _field("FCURRENCYID.FNumber", "text", "币别"), _field("FENDDATE_H", "date", "到期日"), _field("FALLAMOUNTFOR", "decimal", "价税合计"),
            _field("FRELATEHADPAYAMOUNT", "decimal", "已核销金额"), _field("FWRITTENOFFSTATUS", "choice", "核销状态", _SETTLED),
            _field(f"{entry}_FEntryID", "integer", "分录内码", required=True), _field(f"{entry}_FSEQ", "integer", "行号", required=True),
            _field("FMATERIALID.FNumber", "text", "物料编码", refers="BD_MATERIAL"), _field("FPriceQty", "decimal", "计价数量"),
            _field("FNoTaxAmountFor_D", "decimal", "不含税金额"), _field("FTAXAMOUNTFOR_D", "decimal", "税额"),
            _field("FALLAMOUNTFOR_D", "decimal", "明细价税合计"), _field("FORDERNUMBER", "text", "订单号"), _field("FSourceBillNo", "text", "源单编号"),
        )  # fmt: skip
        settled: dict[str, datetime] = {}
        for paid in payments:
            for number, _ in paid.settles:
                settled[number] = max(paid.at, settled.get(number, paid.at))
        rows: list[Row] = []
        for place, bill in enumerate(bills, start=1):
            state = "C" if bill.paid == bill.gross else "B" if bill.paid else "A"
            head = (
                *self._head(100_000 + place, bill.number, bill.day, bill.at, max(bill.at, settled.get(bill.number, bill.at)), bill.at),
                ORGANISATION, self.party(bill.party, bill.number), bill.currency, bill.due.isoformat(), _text(bill.gross),
                _text(bill.paid), state,
            )  # fmt: skip
            rows += [
                (
                    *head, 100_000 + len(rows) + n, line.number, self.spelling.product_code(SYSTEM, line.product), _text(line.quantity),
                    _text(line.net), _text(line.tax), _text(line.net + line.tax), line.order, line.move,
                )
                for n, line in enumerate(bill.lines, start=1)
            ]  # fmt: skip
        return Table(form, title, (f"{entry}_FEntryID",), fields, rows)

    def _money(
        self,
        form: str,
        title: str,
        payments: list[Payment],
        letters: str,
        short: str,
        party: str,
        party_form: str,
    ) -> Table:
        """Receipts and payments, one row for every invoice that one settles."""
        entry = f"F{letters}BILLSRCENTRY"
        fields = (
            *_head(title, "FDATE"), _field("FSETTLEORGID.FNumber", "text", "结算组织"), _field(party, "text", "往来单位编码", refers=party_form),
            _field("FCURRENCYID.FNumber", "text", "币别"), _field(f"FREAL{short}AMOUNTFOR", "decimal", "实收付金额"),
            _field(f"{entry}_FEntryID", "integer", "分录内码", required=True), _field(f"{entry}_FSEQ", "integer", "行号", required=True),
            _field("FSRCBILLNO", "text", "源单编号"), _field(f"FREAL{short}AMOUNT_S", "decimal", "本次核销金额"),
        )  # fmt: skip
        rows: list[Row] = []
        for place, paid in enumerate(payments, start=1):
            head = (
                *self._head(100_000 + place, paid.number, paid.day, paid.at, paid.at, paid.at),
                ORGANISATION, self.party(paid.party, paid.number), paid.currency, _text(paid.amount),
            )  # fmt: skip
            rows += [
                (*head, 100_000 + len(rows) + n, n, bill, _text(amount))
                for n, (bill, amount) in enumerate(paid.settles, start=1)
            ]
        return Table(form, title, (f"{entry}_FEntryID",), fields, rows)

    # --- the books ---

    def _vouchers(self) -> Table:
        fields = (
            _field("FVOUCHERID", "integer", "凭证内码", required=True), _field("FAccountBookID.FNumber", "text", "账簿"),
            _field("FDate", "date", "日期", required=True), _field("FYEAR", "integer", "会计年度"), _field("FPERIOD", "integer", "期间"),
            _field("FVOUCHERGROUPID.FNumber", "text", "凭证字"), _field("FVOUCHERGROUPNO", "integer", "凭证号"),
            _field("FDocumentStatus", "choice", "单据状态", _STATES), _field("FCreateDate", "instant", "创建日期"),
            _field("FModifyDate", "instant", "最后修改日期"), _field("F_HC_SourceNo", "text", "来源单号"),
            _field("FEntity_FEntryID", "integer", "分录内码", required=True), _field("FEntity_FSEQ", "integer", "行号", required=True),
            _field("FEXPLANATION", "text", "摘要"), _field("FACCOUNTID.FNumber", "text", "科目编码"),
            _field("FDetailID.FFLEX4.FNumber", "text", "供应商编码", refers="BD_Supplier"),
            _field("FDetailID.FFLEX5.FNumber", "text", "部门编码"), _field("FDetailID.FFLEX6.FNumber", "text", "客户编码", refers="BD_Customer"),
            _field("FCURRENCYID.FNumber", "text", "币别"), _field("FAMOUNTFOR", "decimal", "原币金额"),
            _field("FDEBIT", "decimal", "借方金额"), _field("FCREDIT", "decimal", "贷方金额"),
        )  # fmt: skip
        rows: list[Row] = []
        entries = 100_000
        for place, voucher in enumerate(_own(self.world.history.vouchers), start=1):
            entry, entries = entries, entries + len(voucher.lines)
            if voucher.day > self.world.last:
                continue
            # Nobody's clock is in the history; the books are kept in the evening.
            kept = _instant(
                datetime.combine(voucher.day, time(10), UTC) + timedelta(seconds=voucher.number % 3600)
            )
            head = (
                100_000 + place, BOOK, voucher.day.isoformat(), voucher.period // 100, voucher.period % 100, "记", voucher.number,
                "C", kept, kept, voucher.reference,
            )  # fmt: skip
            rows += [(*head, entry + n, n, *line) for n, line in enumerate(self._postings(voucher), start=1)]
        return Table("GL_VOUCHER", "凭证", ("FEntity_FEntryID",), fields, rows)

    def _postings(self, voucher: Voucher) -> Iterable[Row]:
        for line in voucher.lines:
            code = self.party(line.party, voucher.reference) if line.party else None
            supplier = bool(line.party and line.party.startswith("S"))
            yield (
                line.text, line.account, code if supplier else None, line.department, None if supplier else code, "CNY",
                _text(line.debit or line.credit), _text(line.debit), _text(line.credit),
            )  # fmt: skip

    def _head(
        self, key: int, number: str, day: date, created: datetime, modified: datetime, approved: datetime | None, state: str = "C"
    ) -> Row:  # fmt: skip
        return (
            key,
            number,
            day.isoformat(),
            state,
            _instant(created),
            _instant(modified),
            approved and _instant(approved),
        )

    @staticmethod
    def _state(approved: datetime | None) -> str:
        return "C" if approved else "B"


def _head(title: str, day: str = "FDate") -> tuple[Field, ...]:
    return (
        _field("FID", "integer", f"{title}内码", required=True), _field("FBillNo", "text", "单据编号", required=True),
        _field(day, "date", "业务日期", required=True),
        _field("FDocumentStatus", "choice", "单据状态", _STATES), _field("FCreateDate", "instant", "创建日期"),
        _field("FModifyDate", "instant", "最后修改日期"), _field("FApproveDate", "instant", "审核日期"),
    )  # fmt: skip


def _kept() -> tuple[Field, ...]:
    """What every record of master data has."""
    return (
        _field("FUseOrgId.FNumber", "text", "使用组织"), _field("FDocumentStatus", "choice", "数据状态", _STATES),
        _field("FForbidStatus", "choice", "禁用状态", _FORBIDDEN), _field("FCreateDate", "instant", "创建日期"),
        _field("FModifyDate", "instant", "修改日期"),
    )  # fmt: skip


def _kept_values(created: datetime, modified: datetime, *, forbidden: bool = False) -> Row:
    return ORGANISATION, "C", "B" if forbidden else "A", _instant(created), _instant(modified)


def _field(
    name: str, kind: Kind, title: str, options: tuple[tuple[str, str], ...] = (), *, refers: str | None = None,
    required: bool = False, personal: bool = False,
) -> Field:  # fmt: skip
    return Field(name, kind, title, options, refers, required, personal)


def _own(documents: Iterable[_Document]) -> list[_Document]:
    """Those of the parent."""
    return [item for item in documents if item.entity == "HC"]


def _text(amount: Decimal) -> str:
    return format(amount, "f")


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
