"""What people do beside the documents: they come and go, are paid, ask for leave, claim expenses, buy spare parts."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

from sandbox.huachen.world.calendar import at, days, local_day, month_end, next_working_day, works
from sandbox.huachen.world.records import CENT, Approval, Attendance, Employee, Line, Order, World


def live(world: World) -> None:
    """Attendance, payroll, approvals of leave and expenses, orders of spare parts."""
    dice = random.Random(f"{world.seed}:people")
    away = _leave(world, dice)
    for day in days(world.first, world.last):
        if works(day):
            for person in world.employees:
                if person.works(day) and (person.number, day) not in away:
                    world.attendance.append(_day(person, day, dice))
        if month_end(day):
            world.payroll += [(day, p.number, _pay(p, day, dice)) for p in world.employees if p.works(day)]
    _expenses(world, dice)
    _spare_parts(world, dice)


def _day(person: Employee, day: date, dice: random.Random) -> Attendance:
    luck = dice.random()
    came = at(day, dice, 9, 10) if luck < 0.06 else at(day, dice, 8, 9)
    left = None if luck > 0.99 else at(day, dice, 18, 20)
    return Attendance(person.number, day, came, left)


def _pay(person: Employee, day: date, dice: random.Random) -> Decimal:
    bonus = (
        Decimal(dice.randrange(0, 1500))
        if person.department(day) in {"210", "220", "410", "420"}
        else Decimal(0)
    )
    part = Decimal(1)
    if person.hired.replace(day=1) == day.replace(day=1):
        part = Decimal(day.day - person.hired.day + 1) / day.day
    return (person.pay * part + bonus).quantize(CENT)


def _leave(world: World, dice: random.Random) -> set[tuple[str, date]]:
    """Leave approvals in 钉钉; returns the days on which somebody was away with leave."""
    away = set()
    for day in days(world.first, world.last):
        if works(day) and dice.random() < 0.5:
            person = dice.choice([item for item in world.employees if item.works(day)])
            length = dice.choice((1, 1, 2, 3))
            asked = at(day - timedelta(days=dice.randrange(1, 6)), dice)
            decided = asked + timedelta(minutes=dice.randrange(10, 1200))
            granted = dice.random() < 0.95
            chief = next(p for p in world.employees if p.posts[0][1] == "700")
            world.approvals.append(
                Approval(f"DT{day:%Y%m%d}{person.number}", "leave", "dingtalk", f"{person.name}的请假申请", person.number, asked,
                         decided, "APPROVED" if granted else "REJECTED", None, f"{day}/{length}",
                         ((chief.number, decided, "通过" if granted else "驳回", "人事审批"),))
            )  # fmt: skip
            if granted:
                away |= {(person.number, day + timedelta(days=n)) for n in range(length)}
    first = {item.number: item for item in reversed(world.approvals)}
    world.approvals = [item for item in world.approvals if first[item.number] is item]
    return away


def _expenses(world: World, dice: random.Random) -> None:
    """Expense claims in 企业微信; those that are approved are paid, and posted."""
    number = 0
    for day in days(world.first, world.last):
        if not works(day):
            continue
        for _ in range(1 if dice.random() < min(0.45 * world.scale**0.5, 1) else 0):
            number += 1
            person = dice.choice([item for item in world.employees if item.works(day)])
            asked = at(day, dice)
            decided = asked + timedelta(hours=dice.randrange(2, 50))
            open_still = local_day(decided) > world.last
            status = "PENDING" if open_still else "APPROVED" if dice.random() < 0.93 else "REJECTED"
            result = {"PENDING": "待审", "APPROVED": "通过", "REJECTED": "驳回"}[status]
            boss = next(p for p in world.employees if p.posts[0][1] == "600")
            amount = Decimal(dice.randrange(5000, 300000)) / 100
            world.approvals.append(
                Approval(f"WX{number:06d}", "expense", "wecom", dice.choice(("差旅费", "招待费", "办公费", "交通费")), person.number, asked,
                         None if open_still else decided, status, amount, None,
                         ((boss.number, None if open_still else decided, result, "财务审批"),))
            )  # fmt: skip


def _spare_parts(world: World, dice: random.Random) -> None:
    """Spare parts and services, bought outside the stock, on a system of their own."""
    goods = (
        ("SP-01", "刀具", "320"),
        ("SP-02", "液压油", "860"),
        ("SP-03", "设备维保服务", "2400"),
        ("SP-04", "劳保用品", "45"),
        ("SP-05", "滤芯", "128"),
    )
    here = [item for item in world.suppliers if not item.merged_into]
    number = 0
    for day in days(world.first, world.last):
        if not works(day) or dice.random() > min(0.35 * world.scale**0.5, 1):
            continue
        number += 1
        made = at(day, dice)
        buyers = [item for item in world.employees if item.posts[0][1] == "300" and item.works(day)]
        lines = []
        for code, _, price in dice.sample(goods, dice.choice((1, 1, 2))):
            quantity = Decimal(dice.randrange(1, 20))
            net = Decimal(price) * quantity
            due = next_working_day(day + timedelta(days=dice.randrange(2, 12)))
            lines.append(
                Line(
                    len(lines) + 1,
                    code,
                    quantity,
                    Decimal(price),
                    net,
                    (net * Decimal("0.13")).quantize(CENT),
                    due,
                )
            )
        closed = max(line.due for line in lines) <= world.last
        order = Order(
            f"BJ{day:%Y%m}{number:05d}", "HC", dice.choice(here).number, day, made, made + timedelta(minutes=dice.randrange(5, 600)),
            made + timedelta(days=2), "CNY", Decimal("0.13"), dice.choice(buyers).number,
            lines, None, closed,
        )  # fmt: skip
        world.spare_purchases.append(order)


SPARE_PARTS = {
    "SP-01": "刀具",
    "SP-02": "液压油",
    "SP-03": "设备维保服务",
    "SP-04": "劳保用品",
    "SP-05": "滤芯",
}
