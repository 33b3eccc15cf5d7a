"""The answer key: every total of the history, computed from the history and written apart from what the systems show.

The platform never reads it. Tests compute the same figures a second time, from what the systems hold.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

from sandbox.huachen.world import Spelling, World
from sandbox.huachen.world.calendar import local_day

ZERO = Decimal(0)
Total = tuple[str, str, str, str, Decimal]  # module, measure, period yyyy-mm, currency, value


def write_answers(folder: Path, world: World, spelling: Spelling) -> None:
    """`totals.csv`, `trial_balance.csv`, `stock.csv`, `identities.csv` into a folder of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "totals.csv", ("module", "measure", "period", "currency", "value"), sorted(totals(world)))
    _write(
        folder / "trial_balance.csv",
        ("entity", "period", "account", "debit", "credit", "closing"),
        trial_balance(world),
    )
    _write(folder / "stock.csv", ("period", "warehouse", "product", "quantity", "cost"), stock(world))
    _write(folder / "identities.csv", ("system", "kind", "code", "true_number"), identities(world, spelling))


def totals(world: World) -> Iterator[Total]:
    """Sums by module, measure, month of the business day, and currency."""
    found: dict[tuple[str, str, str, str], Decimal] = defaultdict(Decimal)

    def add(module: str, measure: str, period: str, currency: str, value: Decimal) -> None:
        found[module, measure, period, currency] += value

    for order in world.orders:
        module = "sales" if order.entity == "HC" else "sales_hce"
        month = f"{order.day:%Y-%m}"
        for line in order.lines:
            add(module, "order_net", month, order.currency, line.net)
            add(module, "order_gross", month, order.currency, line.gross)
            add(module, "order_lines", month, order.currency, Decimal(1))
    for bill in world.invoices:
        module = "receivables" if bill.entity == "HC" else "receivables_hce"
        add(module, "invoice_net", f"{bill.day:%Y-%m}", bill.currency, bill.net)
        add(module, "invoice_gross", f"{bill.day:%Y-%m}", bill.currency, bill.gross)
    for paid in world.receipts:
        module = "receivables" if paid.entity == "HC" else "receivables_hce"
        add(module, "receipts", f"{paid.day:%Y-%m}", paid.currency, paid.amount)
    for order in world.purchases:
        for line in order.lines:
            add("purchasing", "order_net", f"{order.day:%Y-%m}", order.currency, line.net)
    for order in world.spare_purchases:
        for line in order.lines:
            add("spare_parts", "order_gross", f"{order.day:%Y-%m}", order.currency, line.gross)
    for bill in world.supplier_invoices:
        add("payables", "invoice_gross", f"{bill.day:%Y-%m}", bill.currency, bill.gross)
    for paid in world.payments:
        add("payables", "payments", f"{paid.day:%Y-%m}", paid.currency, paid.amount)
    for move in world.moves:
        for line in move.lines:
            add("stock", f"{move.kind}_quantity", f"{move.day:%Y-%m}", "-", line.quantity)
            add("stock", f"{move.kind}_cost", f"{move.day:%Y-%m}", "CNY", line.cost)
    for shop_order in world.shop_orders:
        if shop_order.shipped_at:
            month = f"{local_day(shop_order.shipped_at):%Y-%m}"
            add("shop", "sent_gross", month, "CNY", shop_order.amount + shop_order.freight)
            add("shop", "fees", month, "CNY", shop_order.fee)
    for refund in world.refunds:
        add("shop", "refunds", f"{local_day(refund.finished_at):%Y-%m}", "CNY", refund.amount)
    for item in world.settlements:
        add("shop", "settled_net", f"{item.paid_on:%Y-%m}", "CNY", item.net)
    for day, _, amount in world.payroll:
        add("hr", "payroll", f"{day:%Y-%m}", "CNY", amount)
    for record in world.attendance:
        add("hr", "attendance_days", f"{record.day:%Y-%m}", "-", Decimal(1))
    for shipment in world.shipments:
        add("logistics", "freight", f"{local_day(shipment.shipped_at):%Y-%m}", "CNY", shipment.freight)
    for work in world.work_orders:
        if work.finished_at:
            add("production", "good", f"{work.end:%Y-%m}", "-", work.good)
            add("production", "scrap", f"{work.end:%Y-%m}", "-", work.scrap)
    return ((*key, value) for key, value in found.items())


def trial_balance(world: World) -> Iterator[tuple[str, int, str, Decimal, Decimal, Decimal]]:
    """Entity, period (yyyymm), account: movements of the period, and the balance (debit − credit) at its end."""
    moved: dict[tuple[str, int, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for voucher in world.vouchers:
        for line in voucher.lines:
            sums = moved[voucher.entity, voucher.period, line.account]
            sums[0] += line.debit
            sums[1] += line.credit
    periods = sorted({(entity, period) for entity, period, _ in moved})
    closing: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for entity, period in periods:
        for account in sorted(world.accounts if entity == "HC" else world.foreign_accounts):
            debit, credit = moved.get((entity, period, account), (ZERO, ZERO))
            closing[entity, account] += debit - credit
            yield entity, period, account, debit, credit, closing[entity, account]


def stock(world: World) -> Iterator[tuple[str, str, str, Decimal, Decimal]]:
    """Quantity and standard cost of every product in every warehouse at the end of every month."""
    held: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    moves = sorted(world.moves, key=lambda move: (move.day, move.number))
    months = sorted({f"{move.day:%Y-%m}" for move in moves})
    by_month: dict[str, list] = defaultdict(list)
    for move in moves:
        by_month[f"{move.day:%Y-%m}"].append(move)
    for month in months:
        for move in by_month[month]:
            for line in move.lines:
                sums = held[move.warehouse, line.product]
                sums[0] += move.sign * line.quantity
                sums[1] += move.sign * line.cost
        for (warehouse, product), (quantity, cost) in sorted(held.items()):
            yield month, warehouse, product, quantity, cost


def identities(world: World, spelling: Spelling) -> Iterator[tuple[str, str, str, str]]:
    """Who each record of each system truly is."""
    for system in ("crm", "kingdee", "u8", "jira"):
        for item in spelling.customers(system):
            yield system, "customer", item.code, item.number
    for system in ("sap", "salesforce", "shopify"):
        for item in spelling.foreign_customers(system):
            yield system, "customer", item.code, item.number
    for system in ("kingdee", "u8", "yonbip"):
        for item in spelling.suppliers(system):
            yield system, "supplier", item.code, item.number
    for system in ("kingdee", "u8", "mes", "wms", "sap", "shop", "shopify"):
        for product in spelling.products(system):
            yield system, "product", product.code, product.product
    for system in (
        "crm",
        "kingdee",
        "u8",
        "feishu",
        "dingtalk",
        "wecom",
        "jira",
        "mingdao",
        "h3yun",
        "yonbip",
        "hr",
    ):
        for person in world.employees:
            yield system, "employee", spelling.employee_id(system, person.number), person.number


def _write(path: Path, header: tuple[str, ...], rows: Iterable[tuple]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
