"""A few days at 华辰精工 written by hand, so that every number of a test can be checked by eye."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from sandbox.huachen.world.masters import masters
from sandbox.huachen.world.records import Line, Move, MoveLine, Order, Shipment, WorkOrder, World

D = Decimal


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """An instant of March 2025, in UTC; Shanghai is eight hours ahead."""
    return datetime(2025, 3, day, hour, minute, tzinfo=UTC)


def move(number, kind, sign, warehouse, moment, lines, reference=None, party=None, entity="HC") -> Move:
    """`lines`: (product, quantity, cost[, order line])."""
    made = tuple(
        MoveLine(place, code, D(quantity), D(cost), *rest)
        for place, (code, quantity, cost, *rest) in enumerate(lines, start=1)
    )
    return Move(number, kind, sign, warehouse, moment.date(), moment, made, reference, party, entity)


def small_world() -> World:
    """What is bought, made, moved, sold, returned, counted and paid in March 2025.

    Stock at the end: bearings RM-003 300 + 100 + 50 − 40 = 410 in W01; slides FG-001 5 + 19 − 9 + 1 − 4 = 12 in W02
    and 4 − 1 + 1 = 4 in W03; couplings FG-010 100 − 45 − 2 = 53 in W02.
    """
    world = World(7, 1, date(2025, 1, 1), date(2025, 12, 31))
    masters(world)
    buyer = next(item.number for item in world.employees if item.posts[0][1] == "300")
    line = Line(1, "RM-003", D(200), D("8.50"), D("1700.00"), D("221.00"), date(2025, 3, 10))
    free = Line(2, "RM-009", D(1000), D("0.27"), D("270.00"), D("35.10"), date(2025, 3, 12))
    world.purchases = [
        Order("CG0001", "HC", "S0003", date(2025, 3, 3), at(3, 1), at(3, 2), at(7, 3), "CNY", D("0.13"), buyer, [line, free],
              "QG0001", False, {1: D(150)}, {1: D(100)}),
        Order("CG0002", "HC", "S0001", date(2025, 3, 4), at(4, 1), at(4, 2), at(4, 2), "EUR", D("0.13"), buyer,
              [Line(1, "RM-005", D(2), D("80.00"), D("160.00"), D("20.80"), date(2025, 3, 20))], None, True, {1: D(2)}, {}),
    ]  # fmt: skip
    world.moves = [
        move("QC0001", "opening", 1, "W01", at(1, 1), [("RM-003", 300, 2520)]),
        move("QC0002", "opening", 1, "W02", at(1, 1, 1), [("FG-001", 5, 1500), ("FG-010", 100, 900)]),
        move("DH0001", "receipt", 1, "W01", at(5, 2), [("RM-003", 100, 840, 1)], "CG0001", "S0003"),
        move("DH0002", "receipt", 1, "W01", at(7, 3), [("RM-003", 50, 420, 1)], "CG0001", "S0003"),
        move("LL0001", "issue", -1, "W01", at(10, 1), [("RM-003", 40, 336)], "MO0001"),
        # 16:30 in UTC is past midnight in Shanghai
        move("RK0001", "output", 1, "W02", at(12, 16, 30), [("FG-001", 19, 5700)], "MO0001"),
        move("CK0001", "delivery", -1, "W02", at(14, 4), [("FG-001", 9, 2700, 1), ("FG-010", 45, 405, 2)], "XS0001", "C0001"),
        move("CK0002", "delivery", -1, "W02", at(31, 15), [("FG-010", 2, 18, 1)], "XS0002", "C0002"),
        move("TH0001", "return", 1, "W02", at(20, 4), [("FG-001", 1, 300, 1)], "XS0001", "C0001"),
        move("DBC0001", "transfer_out", -1, "W02", at(17, 1), [("FG-001", 4, 1200)]),
        move("DBR0001", "transfer_in", 1, "W03", at(17, 2), [("FG-001", 4, 1200)], "DBC0001"),
        move("DS0001", "shop", -1, "W03", at(18, 2), [("FG-001", 1, 300)], "2000001"),
        move("DST0001", "shop_return", 1, "W03", at(25, 2), [("FG-001", 1, 300)], "2000001"),
        move("EU0001", "delivery", -1, "W09", at(18, 2), [("FG-001", 7, 2100)], "450001", "F0001", "HCE"),
    ]  # fmt: skip
    world.work_orders = [
        WorkOrder("MO0001", "FG-001", D(20), at(9, 1), date(2025, 3, 10), date(2025, 3, 14), at(12, 16, 30), D(19), D(1),
                  "LL0001", "RK0001", "HC0016"),
        WorkOrder("MO0002", "FG-006", D("7.5"), at(30, 1), date(2025, 3, 31), date(2025, 4, 4), None, D(0), D(0), None, None, "HC0016"),
    ]  # fmt: skip
    world.shipments = [
        Shipment("YD0001", "CK0001", "顺丰速运", at(14, 6), at(16, 7, 5), D("123.45")),
        # shipped at 01:00 on 1 April in Shanghai, and not signed for yet
        Shipment("YD0002", "CK0002", "德邦快递", at(31, 17), None, D("30.00")),
    ]
    for day in (date(2025, 2, 28), date(2025, 3, 31)):
        world.payroll += [(day, item.number, item.pay) for item in world.employees if item.works(day)]
    return world
