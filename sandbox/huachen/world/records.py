"""The shapes of what truly happened. Amounts are exact decimals, instants are aware and in UTC, days are local."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Department:
    """`parent` is the code of the department above. A department that moved has one record per parent."""

    code: str
    name: str
    parent: str | None
    valid_from: date
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Employee:
    """`posts`: (first day, department code), oldest first. `pay` is gross a month in CNY."""

    number: str
    name: str
    mobile: str
    title: str
    hired: date
    left: date | None
    posts: tuple[tuple[date, str], ...]
    pay: Decimal

    def department(self, day: date) -> str:
        return [code for since, code in self.posts if since <= day or since == self.posts[0][0]][-1]

    def works(self, day: date) -> bool:
        return self.hired <= day and (self.left is None or day <= self.left)


@dataclass(frozen=True, slots=True)
class Party:
    """A customer or supplier as it truly is. `merged_into`: the supplier that took it over, from `merged_on`."""

    number: str
    name: str
    short: str
    credit_code: str | None
    country: str
    city: str
    address: str
    contact: str
    phone: str
    since: date
    payment_days: int
    merged_into: str | None = None
    merged_on: date | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """`cost` is the standard cost of one `unit`; `price` net of tax (0 for materials). `pack` units come in one `pack_unit`.

    `second`: where a material is bought when its supplier cannot. `parts`: (material code, quantity for one). `shop` products are also sold in the shop.
    """

    code: str
    name: str
    spec: str
    kind: str  # finished | material
    unit: str
    cost: Decimal
    price: Decimal
    pack_unit: str
    pack: int
    supplier: str | None = None
    parts: tuple[tuple[str, Decimal], ...] = ()
    shop: bool = False
    second: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an order or invoice: net and tax in the document's currency; `done` on day `due`."""

    number: int
    product: str
    quantity: Decimal
    price: Decimal
    net: Decimal
    tax: Decimal
    due: date

    @property
    def gross(self) -> Decimal:
        return self.net + self.tax


@dataclass(slots=True)
class Order:
    """A sales or purchase order. `entity` HC or HCE; `party` a customer or supplier number."""

    number: str
    entity: str
    party: str
    day: date
    created_at: datetime
    approved_at: datetime
    modified_at: datetime
    currency: str
    tax_rate: Decimal
    person: str  # employee number
    lines: list[Line]
    source: str | None = None  # opportunity or purchase request
    closed: bool = False
    done: dict[int, Decimal] = field(default_factory=dict)  # line → delivered or received
    billed: dict[int, Decimal] = field(default_factory=dict)  # line → quantity invoiced
    billed_at: datetime | None = None  # the last time; systems write the quantity back and touch nothing else

    def open(self, line: Line) -> Decimal:
        return line.quantity - self.done.get(line.number, Decimal(0))

    def line(self, number: int) -> Line:
        return self.lines[number - 1]


@dataclass(frozen=True, slots=True)
class Opportunity:
    number: str
    customer: str
    person: str
    stage: str  # 初步接触 | 方案报价 | 商务谈判 | 赢单 | 输单
    amount: Decimal
    created_at: datetime
    updated_at: datetime
    expected: date
    order: str | None
    entity: str = "HC"


@dataclass(frozen=True, slots=True)
class Request:
    """A purchase request: lines are (product, quantity, needed on)."""

    number: str
    person: str
    created_at: datetime
    decided_at: datetime | None
    state: str  # 审批中 | 已通过 | 已驳回
    lines: tuple[tuple[str, Decimal, date], ...]
    order: str | None = None


@dataclass(frozen=True, slots=True)
class MoveLine:
    """`order_line` of the order that the document serves, if it serves one; `cost` is at standard cost, in total."""

    number: int
    product: str
    quantity: Decimal
    cost: Decimal
    order_line: int | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A stock document: `quantity` of its lines is always positive, `sign` says in (+1) or out (−1).

    kinds: receipt, delivery, return, issue, output, transfer_in, transfer_out, count, shop, shop_return, opening.
    `reference` is the order, work order or shop order it belongs to.
    """

    number: str
    kind: str
    sign: int
    warehouse: str
    day: date
    at: datetime
    lines: tuple[MoveLine, ...]
    reference: str | None = None
    party: str | None = None
    entity: str = "HC"


@dataclass(frozen=True, slots=True)
class BillLine:
    number: int
    product: str
    quantity: Decimal
    net: Decimal
    tax: Decimal
    order: str
    order_line: int
    move: str


@dataclass(slots=True)
class Bill:
    """A sales or supplier invoice; a credit note has negative lines. `paid` is what was settled so far."""

    number: str
    entity: str
    party: str
    day: date
    at: datetime
    due: date
    currency: str
    lines: tuple[BillLine, ...]
    paid: Decimal = Decimal(0)

    @property
    def net(self) -> Decimal:
        return sum((line.net for line in self.lines), Decimal(0))

    @property
    def tax(self) -> Decimal:
        return sum((line.tax for line in self.lines), Decimal(0))

    @property
    def gross(self) -> Decimal:
        return self.net + self.tax


@dataclass(frozen=True, slots=True)
class Payment:
    """Money received from a customer or paid to a supplier; `settles`: (invoice, amount)."""

    number: str
    entity: str
    party: str
    day: date
    at: datetime
    currency: str
    amount: Decimal
    settles: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """`issue` and `output` are stock documents; `good` + `scrap` = `quantity` once finished."""

    number: str
    product: str
    quantity: Decimal
    created_at: datetime
    start: date
    end: date
    finished_at: datetime | None
    good: Decimal
    scrap: Decimal
    issue: str | None
    output: str | None
    person: str


@dataclass(frozen=True, slots=True)
class Shipment:
    number: str
    delivery: str
    carrier: str
    shipped_at: datetime
    signed_at: datetime | None
    freight: Decimal


@dataclass(frozen=True, slots=True)
class ShopLine:
    number: int
    product: str
    quantity: Decimal
    amount: Decimal  # paid, tax included, CNY


@dataclass(frozen=True, slots=True)
class ShopOrder:
    number: str
    platform: str  # the platform's own number
    buyer: str
    created_at: datetime
    paid_at: datetime | None
    shipped_at: datetime | None
    modified_at: datetime
    status: str  # WaitPay | Delivering | Sent | Cancelled
    lines: tuple[ShopLine, ...]
    freight: Decimal
    fee: Decimal

    @property
    def amount(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal(0))


@dataclass(frozen=True, slots=True)
class Refund:
    number: str
    order: str
    line: int
    quantity: Decimal
    amount: Decimal
    created_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the platform pays out for a week: `net` = `gross` − `refunds` − `fees`."""

    number: str
    first: date
    last: date
    gross: Decimal
    refunds: Decimal
    fees: Decimal
    paid_on: date

    @property
    def net(self) -> Decimal:
        return self.gross - self.refunds - self.fees


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval with its steps (employee, instant, 通过 | 驳回 | 待审, node). `reference` is the document it is about."""

    number: str
    kind: str  # payment | discount | purchase | expense | leave
    system: str
    title: str
    person: str
    created_at: datetime
    finished_at: datetime | None
    status: str  # PENDING | APPROVED | REJECTED
    amount: Decimal | None
    reference: str | None
    steps: tuple[tuple[str, datetime | None, str, str], ...]


@dataclass(frozen=True, slots=True)
class Attendance:
    """One working day of one employee; an instant is missing when nobody clocked."""

    employee: str
    day: date
    came_at: datetime | None
    left_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ticket:
    """`history`: (instant, employee, from status, to status)."""

    key: str
    title: str
    customer: str
    product: str
    delivery: str
    priority: str
    person: str
    created_at: datetime
    updated_at: datetime
    resolved_at: datetime | None
    status: str
    history: tuple[tuple[datetime, str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """A weekly check of a machine, or an inspection of received goods (`reference` is the receipt)."""

    number: str
    subject: str
    person: str
    at: datetime
    result: str  # 正常 | 异常 | 合格 | 让步接收
    checked: Decimal
    rejected: Decimal
    note: str
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class VoucherLine:
    account: str
    debit: Decimal
    credit: Decimal
    text: str
    party: str | None = None
    department: str | None = None


@dataclass(frozen=True, slots=True)
class Voucher:
    """A posting whose debits equal its credits; `number` counts within entity and period (yyyymm)."""

    entity: str
    period: int
    number: int
    day: date
    kind: str
    reference: str
    lines: tuple[VoucherLine, ...]


@dataclass
class World:
    """Everything that happened between the first and the last day, as it is known on the evening of the last."""

    seed: int
    scale: int
    first: date
    last: date
    departments: list[Department] = field(default_factory=list)
    employees: list[Employee] = field(default_factory=list)
    customers: list[Party] = field(default_factory=list)
    foreign_customers: list[Party] = field(default_factory=list)
    suppliers: list[Party] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    warehouses: dict[str, str] = field(default_factory=dict)  # code → name
    accounts: dict[str, str] = field(default_factory=dict)
    foreign_accounts: dict[str, str] = field(default_factory=dict)
    rates: dict[date, Decimal] = field(default_factory=dict)  # CNY for one EUR
    opportunities: list[Opportunity] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    purchases: list[Order] = field(default_factory=list)
    spare_purchases: list[Order] = field(default_factory=list)  # spare parts and services, never in stock
    moves: list[Move] = field(default_factory=list)
    invoices: list[Bill] = field(default_factory=list)
    receipts: list[Payment] = field(default_factory=list)
    supplier_invoices: list[Bill] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    work_orders: list[WorkOrder] = field(default_factory=list)
    shipments: list[Shipment] = field(default_factory=list)
    shop_orders: list[ShopOrder] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    settlements: list[Settlement] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)
    attendance: list[Attendance] = field(default_factory=list)
    tickets: list[Ticket] = field(default_factory=list)
    inspections: list[Inspection] = field(default_factory=list)  # machines
    quality: list[Inspection] = field(default_factory=list)  # received goods
    payroll: list[tuple[date, str, Decimal]] = field(default_factory=list)  # month end, employee, gross
    counts: list[tuple[str, date, str, str, Decimal, Decimal]] = field(default_factory=list)
    vouchers: list[Voucher] = field(default_factory=list)
    whole: World | None = field(default=None, repr=False)  # of which this is the beginning

    @property
    def history(self) -> World:
        """Everything to the end, also of a world that stands on an earlier day: for numbers that must not change later."""
        return self.whole or self

    def steps_before(self, system: str) -> dict[str, int]:
        """Approval number → how many steps the approvals before it have in that system, in the whole history."""
        found, steps = {}, 0
        for item in self.history.approvals:
            if item.system == system:
                found[item.number] = steps
                steps += len(item.steps)
        return found

    def product(self, code: str) -> Product:
        return self.products_by_code[code]

    @cached_property
    def products_by_code(self) -> dict[str, Product]:
        return {item.code: item for item in self.products}
