"""A handful of true records of the European subsidiary, small enough to be checked by eye."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from sandbox.huachen.world import Spelling, World
from sandbox.huachen.world.records import (
    Bill,
    BillLine,
    Line,
    Opportunity,
    Order,
    Party,
    Product,
    Voucher,
    VoucherLine,
)

FIRST, LAST = date(2026, 1, 1), date(2026, 10, 31)


def hce_world() -> tuple[World, Spelling]:
    """Nine orders (three of them of the web shop), seven invoices with their postings, six opportunities."""
    world = World(7, 1, FIRST, LAST)
    world.products = [
        Product(
            "RM-001",
            "冷轧钢板",
            "2.0mm",
            "material",
            "公斤",
            Decimal("5.10"),
            Decimal(0),
            "公斤",
            1,
            supplier="S0001",
        ),
        Product(
            "FG-001",
            "精密滑台",
            "行程300",
            "finished",
            "台",
            Decimal("192.55"),
            Decimal(1980),
            "台",
            1,
            shop=True,
        ),
        Product(
            "FG-002",
            "联轴器",
            "D30",
            "finished",
            "个",
            Decimal("12.00"),
            Decimal(58),
            "盒",
            10,
            shop=True,
        ),
    ]
    world.foreign_customers = [_party(n) for n in range(1, 6)]
    for n in range(1, 10):
        world.orders.append(_order(n))
    world.orders.append(_order(90, entity="HC"))
    for n in range(1, 8):
        world.invoices.append(bill := _bill(n, world.orders[n - 1]))
        customer = ("140000", bill.gross, bill.party)
        lines = (
            VoucherLine(customer[0], bill.gross, Decimal(0), "receivable", bill.party),
            VoucherLine("800000", Decimal(0), bill.net, "revenue"),
            VoucherLine("175000", Decimal(0), bill.tax, "tax"),
        )
        world.vouchers.append(
            Voucher("HCE", bill.day.year * 100 + bill.day.month, n, bill.day, "billing", bill.number, lines)
        )
    stages = ("初步接触", "方案报价", "商务谈判", "赢单", "输单", "赢单")
    for n, stage in enumerate(stages, start=1):
        at = datetime(2026, 1 + n // 2, 3 + n, 8, n, 5, tzinfo=UTC)
        order = world.orders[n].number if stage == "赢单" else None
        world.opportunities.append(
            Opportunity(
                f"OPP-{n:04d}",
                f"F{1 + n % 5:04d}",
                "HC0004",
                stage,
                Decimal(f"{n}2500.50"),
                at,
                at,
                date(2026, 5, n),
                order,
                "HCE",
            )
        )
    return world, Spelling(world)


def _party(n: int) -> Party:
    return Party(
        f"F{n:04d}", f"Weber {n} Maschinenbau GmbH", f"Weber {n}", f"DE99321073{n}", "DE", "Stuttgart", f"Industriestrasse {n}",
        "A. Novak", f"+49 711 37076{n}", date(2025, 8, 10 + n), 30,
    )  # fmt: skip


def _order(n: int, entity: str = "HCE") -> Order:
    day = date(2026, 10, 1 + 3 * n % 28)
    at = datetime(day.year, day.month, day.day, 9, 30, n % 60, tzinfo=UTC)
    lines = [
        Line(
            1,
            "FG-001",
            Decimal(n),
            Decimal("316.25"),
            Decimal("316.25") * n,
            Decimal("60.09") * n,
            date(2026, 11, 20),
        ),
        Line(
            2,
            "FG-002",
            Decimal("2"),
            Decimal("9.26"),
            Decimal("18.52"),
            Decimal("3.52"),
            date(2026, 11, 29),
        ),
    ][: 1 + n % 2]
    order = Order(
        f"45202601{n:04d}", entity, f"F{1 + n % 5:04d}", day, at, at, at, "EUR", Decimal("0.19"), "HC0004", lines,
        f"web:EU{n:04d}" if n % 3 == 0 else None,
    )  # fmt: skip
    order.done = {1: Decimal(n)} if n % 4 else {}
    order.billed = dict(order.done)
    order.closed = len(lines) == 1 and bool(order.done)
    return order


def _bill(n: int, order: Order) -> Bill:
    line = order.lines[0]
    day = date(2026, 10, min(5 + 4 * n, 31))  # the sixth at the border of two pieces of 31 days
    at = datetime(day.year, day.month, day.day, 12, 0, n, tzinfo=UTC)
    return Bill(
        f"90202601{n:04d}",
        "HCE",
        order.party,
        day,
        at,
        date(2026, 11, 30),
        "EUR",
        (BillLine(1, line.product, line.quantity, line.net, line.tax, order.number, 1, "CK1"),),
    )
