"""The books, kept from the documents: every posting balances, so every period does.

Stock is carried at standard cost; what a purchase costs more or less goes to 1404. Goods received and not yet billed stand
on 220201. The subsidiary keeps its own books in EUR.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from sandbox.huachen.world.calendar import local_day
from sandbox.huachen.world.records import CENT, Bill, Move, Voucher, VoucherLine, World

ZERO = Decimal(0)
_CAPITAL = Decimal(6000000)
Posting = tuple[date, str, str, str, list[VoucherLine]]  # day, entity, kind, reference, lines


def keep_books(world: World) -> None:
    """Write a voucher for every document that has a value, numbered by entity and period in the order of days."""
    postings = [item for item in _postings(world) if any(line.debit or line.credit for line in item[4])]
    postings += _absorbed(postings)
    postings.sort(key=lambda item: (item[0], item[1], item[2], item[3]))
    numbers: dict[tuple[str, int], int] = defaultdict(int)
    for day, entity, kind, reference, lines in postings:
        kept = tuple(line for line in lines if line.debit or line.credit)
        off = sum((line.debit - line.credit for line in kept), ZERO)
        assert off == 0, (kind, reference, off)
        period = day.year * 100 + day.month
        numbers[entity, period] += 1
        world.vouchers.append(Voucher(entity, period, numbers[entity, period], day, kind, reference, kept))
    _close_years(world, numbers)


def _debit(
    account: str, amount: Decimal, text: str, party: str | None = None, department: str | None = None
) -> VoucherLine:
    """A line; a negative amount is a debit in red, as Chinese books write it."""
    return VoucherLine(account, amount, ZERO, text, party, department)


def _credit(
    account: str, amount: Decimal, text: str, party: str | None = None, department: str | None = None
) -> VoucherLine:
    return VoucherLine(account, ZERO, amount, text, party, department)


def _postings(world: World) -> Iterator[Posting]:
    yield from _opening(world)
    yield from _stock(world)
    yield from _sales(world)
    yield from _purchases(world)
    yield from _shop(world)
    yield from _people(world)


def _opening(world: World) -> Iterator[Posting]:
    materials = sum(
        (
            line.cost
            for move in world.moves
            if move.kind == "opening" and move.warehouse == "W01"
            for line in move.lines
        ),
        ZERO,
    )
    finished = sum(
        (
            line.cost
            for move in world.moves
            if move.kind == "opening" and move.warehouse != "W01"
            for line in move.lines
        ),
        ZERO,
    )
    capital = _CAPITAL * world.scale
    yield world.first, "HC", "opening", "期初", [
        _debit("1403", materials, "期初"), _debit("1405", finished, "期初"),
        _debit("1002", capital, "期初"), _credit("4001", capital + materials + finished, "期初"),
    ]  # fmt: skip
    yield world.first, "HCE", "opening", "opening", [
        _debit("113100", Decimal(200000) * world.scale, "opening"), _credit("300000", Decimal(200000) * world.scale, "opening"),
    ]  # fmt: skip


def _stock(world: World) -> Iterator[Posting]:
    prices = {(order.number, line.number): line.price for order in world.purchases for line in order.lines}
    for move in world.moves:
        cost = sum((line.cost for line in move.lines), ZERO)
        value = _account(move)
        lines: list[VoucherLine] = []
        if move.kind == "receipt":
            paid = sum(
                (
                    (prices[str(move.reference), int(line.order_line or 0)] * line.quantity).quantize(
                        CENT, ROUND_HALF_UP
                    )
                    for line in move.lines
                ),
                ZERO,
            )
            lines = [_debit("1403", cost, "采购入库", move.party), _debit("1404", paid - cost, "采购价差", move.party),
                     _credit("220201", paid, "暂估", move.party)]  # fmt: skip
        elif move.kind == "issue":
            lines = [_debit("5001", cost, "生产领料"), _credit("1403", cost, "生产领料")]
        elif move.kind == "output":
            yield from _output(world, move, cost)
        elif move.kind in {"delivery", "shop"}:
            lines = [_debit("6401", cost, "销售出库", move.party), _credit("1405", cost, "销售出库")]
        elif move.kind in {"return", "shop_return"}:
            lines = [_debit("1405", cost, "销售退货"), _credit("6401", cost, "销售退货", move.party)]
        elif move.kind == "count" and move.sign < 0:
            lines = [_debit("6711", cost, "盘亏"), _credit(value, cost, "盘亏")]
        elif move.kind == "count":
            lines = [_debit(value, cost, "盘盈"), _credit("6301", cost, "盘盈")]
        if lines:
            yield move.day, "HC", move.kind, move.number, lines


def _output(world: World, move: Move, cost: Decimal) -> Iterator[Posting]:
    """Finished goods at standard; what work adds to the materials is absorbed from 5101, scrap is a cost of the month."""
    work = next(item for item in _work_orders(world)[str(move.reference)])
    materials = _issued(world)[str(work.issue)]
    each = world.products_by_code[work.product].cost
    whole = (each * work.quantity).quantize(CENT)
    yield move.day, "HC", "output", move.number, [
        _debit("5001", whole - materials, "制造费用分配"), _credit("5101", whole - materials, "制造费用分配"),
        _debit("1405", cost, "完工入库"), _debit("6401", whole - cost, "废品损失"), _credit("5001", whole, "完工入库"),
    ]  # fmt: skip


def _work_orders(world: World) -> dict[str, list]:
    found = world.__dict__.setdefault("_work_orders", {})
    if not found:
        for item in world.work_orders:
            found.setdefault(item.number, []).append(item)
    return found


def _issued(world: World) -> dict[str, Decimal]:
    found = world.__dict__.setdefault("_issued", {})
    if not found:
        for move in world.moves:
            if move.kind == "issue":
                found[move.number] = sum((line.cost for line in move.lines), ZERO)
    return found


def _account(move: Move) -> str:
    return "1403" if move.warehouse == "W01" else "1405"


def _sales(world: World) -> Iterator[Posting]:
    own = [bill for bill in world.invoices if bill.entity == "HC"]
    for bill in own:
        yield bill.day, "HC", "sales invoice", bill.number, [
            _debit("1122", bill.gross, "销售开票", bill.party), _credit("6001", bill.net, "销售开票", bill.party),
            _credit("222102", bill.tax, "销项税"),
        ]  # fmt: skip
        if bill.party == "C9001":
            yield _bought_by_subsidiary(world, bill)
    for paid in world.receipts:
        if paid.entity == "HC":
            yield (
                paid.day,
                "HC",
                "receipt",
                paid.number,
                [
                    _debit("1002", paid.amount, "收款", paid.party),
                    _credit("1122", paid.amount, "收款", paid.party),
                ],
            )
            if paid.party == "C9001":
                euro = sum((_euro(world, number, amount) for number, amount in paid.settles), ZERO)
                yield (
                    paid.day,
                    "HCE",
                    "payment",
                    paid.number,
                    [
                        _debit("160000", euro, "payment to parent"),
                        _credit("113100", euro, "payment to parent"),
                    ],
                )
        else:
            yield (
                paid.day,
                "HCE",
                "receipt",
                paid.number,
                [
                    _debit("113100", paid.amount, "receipt", paid.party),
                    _credit("140000", paid.amount, "receipt", paid.party),
                ],
            )
    for bill in world.invoices:
        if bill.entity == "HCE":
            yield bill.day, "HCE", "billing", bill.number, [
                _debit("140000", bill.gross, "billing", bill.party), _credit("800000", bill.net, "billing", bill.party),
                _credit("175000", bill.tax, "output tax"),
            ]  # fmt: skip


def _bought_by_subsidiary(world: World, bill: Bill) -> Posting:
    """The parent's invoice in the subsidiary's books: in EUR at the rate of its day."""
    euro = (bill.net / world.rates[bill.day]).quantize(CENT, ROUND_HALF_UP)
    return (
        bill.day,
        "HCE",
        "purchase",
        bill.number,
        [_debit("893000", euro, "goods from parent"), _credit("160000", euro, "goods from parent")],
    )


def _euro(world: World, invoice: str, amount: Decimal) -> Decimal:
    """What part of an intercompany invoice is settled, in EUR at the rate of the invoice."""
    bills = world.__dict__.setdefault("_bills", {})
    if not bills:
        bills.update({bill.number: bill for bill in world.invoices})
    bill = bills[invoice]
    return (amount / world.rates[bill.day]).quantize(CENT, ROUND_HALF_UP)


def _purchases(world: World) -> Iterator[Posting]:
    for bill in world.supplier_invoices:
        yield bill.day, "HC", "supplier invoice", bill.number, [
            _debit("220201", bill.net, "冲暂估", bill.party), _debit("222101", bill.tax, "进项税"),
            _credit("2202", bill.gross, "供应商发票", bill.party),
        ]  # fmt: skip
    for paid in world.payments:
        yield (
            paid.day,
            "HC",
            "payment",
            paid.number,
            [
                _debit("2202", paid.amount, "付款", paid.party),
                _credit("1002", paid.amount, "付款", paid.party),
            ],
        )
    for order in world.spare_purchases:
        if order.closed:
            net = sum((line.net for line in order.lines), ZERO)
            tax = sum((line.tax for line in order.lines), ZERO)
            done = max(line.due for line in order.lines)
            yield done, "HC", "spare parts", order.number, [
                _debit("5101", net, "备件及服务", order.party, "400"), _debit("222101", tax, "进项税"),
                _credit("1002", net + tax, "备件及服务", order.party),
            ]  # fmt: skip


def _shop(world: World) -> Iterator[Posting]:
    """Day by day, as the shop's own summary says: sales, refunds and fees; week by week what is paid out."""
    sold: dict[date, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for order in world.shop_orders:
        if order.shipped_at:
            day = sold[local_day(order.shipped_at)]
            day[0] += order.amount + order.freight
            day[1] += order.fee
    back: dict[date, Decimal] = defaultdict(Decimal)
    for refund in world.refunds:
        back[local_day(refund.finished_at)] += refund.amount
    for day in sorted({*sold, *back}):
        gross, fee, refunds = sold[day][0], sold[day][1], back[day]
        net = ((gross - refunds) / Decimal("1.13")).quantize(CENT, ROUND_HALF_UP)
        yield day, "HC", "shop", f"DS{day:%Y%m%d}", [
            _debit("1012", gross - refunds, "电商销售"), _credit("6001", net, "电商销售", None, "220"),
            _credit("222102", gross - refunds - net, "销项税"), _debit("6601", fee, "平台服务费", None, "220"),
            _credit("1012", fee, "平台服务费"),
        ]  # fmt: skip
    for item in world.settlements:
        yield (
            item.paid_on,
            "HC",
            "settlement",
            item.number,
            [_debit("1002", item.net, "平台结算"), _credit("1012", item.net, "平台结算")],
        )


def _people(world: World) -> Iterator[Posting]:
    people = {item.number: item for item in world.employees}
    months: dict[date, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for day, number, amount in world.payroll:
        months[day][people[number].department(day)] += amount
    for day, departments in months.items():
        lines = []
        for department, amount in sorted(departments.items()):
            account = "5101" if department[0] == "4" else "6601" if department[0] in "28" else "6602"
            lines.append(_debit(account, amount, "计提工资", None, department))
        total = sum(departments.values(), ZERO)
        yield day, "HC", "payroll", f"GZ{day:%Y%m}", [*lines, _credit("2211", total, "计提工资")]
        paid = day + timedelta(days=10)
        if paid <= world.last:
            yield (
                paid,
                "HC",
                "wages",
                f"GZF{day:%Y%m}",
                [_debit("2211", total, "发放工资"), _credit("1002", total, "发放工资")],
            )
    for item in world.approvals:
        if item.kind == "expense" and item.status == "APPROVED" and item.finished_at and item.amount:
            day = local_day(item.finished_at)
            if day <= world.last:
                department = people[item.person].department(day)
                yield (
                    day,
                    "HC",
                    "expense",
                    item.number,
                    [
                        _debit("6602", item.amount, item.title, None, department),
                        _credit("1002", item.amount, item.title),
                    ],
                )


def _absorbed(postings: list[Posting]) -> list[Posting]:
    """Month by month, what production cost beside the materials and no product took over is a cost of sales."""
    left: dict[tuple[int, int], Decimal] = defaultdict(Decimal)
    for day, _, _, _, lines in postings:
        for line in lines:
            if line.account == "5101":
                left[day.year, day.month] += line.debit - line.credit
    found: list[Posting] = []
    for (year, month), amount in sorted(left.items()):
        last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        lines = [_debit("6401", amount, "结转制造费用差异"), _credit("5101", amount, "结转制造费用差异")]
        found.append((last, "HC", "overhead", f"ZZ{last:%Y%m}", lines))
    return found


def _close_years(world: World, numbers: dict[tuple[str, int], int]) -> None:
    """On 31 December the parent's income and expense accounts are carried to 4103."""
    for year in range(world.first.year, world.last.year + 1):
        totals: dict[str, Decimal] = defaultdict(Decimal)
        for voucher in world.vouchers:
            if voucher.entity == "HC" and voucher.period // 100 == year:
                for line in voucher.lines:
                    if line.account[0] == "6":
                        totals[line.account] += line.debit - line.credit
        lines = [_credit(account, amount, "结转损益") for account, amount in sorted(totals.items()) if amount]
        result = sum(totals.values(), ZERO)
        period = year * 100 + 12
        numbers["HC", period] += 1
        lines.append(_debit("4103", result, "结转损益"))
        world.vouchers.append(
            Voucher(
                "HC", period, numbers["HC", period], date(year, 12, 31), "closing", f"JZ{year}", tuple(lines)
            )
        )
