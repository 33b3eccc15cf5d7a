"""The shop 华辰旗舰店: orders of consumers, shipped from its own shelf, refunds, and what the platform pays out each week."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sandbox.huachen.world.calendar import at, local_day
from sandbox.huachen.world.records import CENT, Refund, Settlement, ShopLine, ShopOrder

if TYPE_CHECKING:
    from sandbox.huachen.world.history import _Company

_FEE = Decimal("0.05")
ZERO = Decimal(0)
TAX = Decimal("0.13")


class Shop:
    """Sells every day, ships on working days, settles on Mondays."""

    def __init__(self, company: _Company) -> None:
        self.company, self.world = company, company.world
        self.dice = random.Random(f"{company.world.seed}:shop")
        self.goods = [item for item in company.finished if item.shop]
        self.unshipped: list[int] = []  # places in world.shop_orders
        self.settled_to = company.world.first - timedelta(days=1)
        self.sent: list[tuple[date, ShopOrder]] = []  # since then
        self.back: list[tuple[date, Refund]] = []

    def sell(self, day: date) -> None:
        busy = 3 if (day.month, day.day) in ((6, 18), (11, 11)) else 1
        for _ in range(round(self.dice.gauss(7 * busy * self.world.scale, 2.0 * self.world.scale**0.5))):
            self._order(day)

    def _order(self, day: date) -> None:
        lines = []
        for item in self.dice.sample(self.goods, self.dice.choice((1, 1, 1, 2))):
            quantity = Decimal(self.dice.choice((1, 1, 1, 2, 3)))
            price = (item.price * (1 + TAX) * Decimal(self.dice.randrange(90, 106)) / 100).quantize(CENT)
            lines.append(ShopLine(len(lines) + 1, item.code, quantity, price * quantity))
        created = at(day, self.dice, 8, 23)
        luck = self.dice.random()
        status = "WaitPay" if luck < 0.02 else "Cancelled" if luck < 0.05 else "Delivering"
        paid = (
            created + timedelta(minutes=self.dice.randrange(1, 50))
            if status != "WaitPay" and luck > 0.035
            else None
        )
        place = len(self.world.shop_orders)
        order = ShopOrder(
            f"{2000000 + place}", f"T{day:%y%m%d}{self.dice.randrange(10**9, 10**10)}", f"买家{self.dice.randrange(10**6):06d}***",
            created, paid, None, paid or created, status, tuple(lines), Decimal(self.dice.choice((0, 0, 0, 8))), ZERO,
        )  # fmt: skip
        self.world.shop_orders.append(order)
        if status == "Delivering":
            self.unshipped.append(place)

    def ship(self, day: date) -> None:
        """Refill the shelf from the main store once a week, then ship what is paid and there."""
        if day.weekday() == 0:
            self._refill()
        still = []
        empty: set[str] = set()  # what ran out today: the rest waits without being looked at
        for place in self.unshipped:
            order = self.world.shop_orders[place]
            if any(line.product in empty for line in order.lines) or local_day(order.created_at) >= day:
                still.append(place)
                continue
            wanted: dict[str, Decimal] = {}
            for line in order.lines:
                wanted[line.product] = wanted.get(line.product, ZERO) + line.quantity
            short = {code for code, quantity in wanted.items() if self.company.stock["W03", code] < quantity}
            if short:
                empty |= short
                still.append(place)
            else:
                self._send(place, order)
        self.unshipped = still

    def _refill(self) -> None:
        lines = []
        for item in self.goods:
            short = Decimal(60 * self.world.scale) - self.company.stock["W03", item.code]
            quantity = min(short, self.company.stock["W02", item.code])
            if quantity > 0:
                lines.append((item.code, quantity, None))
        if lines:
            out = self.company.move("transfer_out", "DBC", -1, "W02", lines)
            self.company.move("transfer_in", "DBR", 1, "W03", lines, out.number)

    def _send(self, place: int, order: ShopOrder) -> None:
        goods = [(line.product, line.quantity, None) for line in order.lines]
        sent = self.company.move("shop", "DS", -1, "W03", goods, order.number)
        fee = (order.amount * _FEE).quantize(CENT)
        self.world.shop_orders[place] = ShopOrder(
            order.number, order.platform, order.buyer, order.created_at, order.paid_at, sent.at, sent.at, "Sent", order.lines,
            order.freight, fee,
        )  # fmt: skip
        self.sent.append((self.company.today, self.world.shop_orders[place]))
        if self.dice.random() < 0.05:
            line = self.dice.choice(order.lines)
            self.company.then(self.company.later(4, 14), lambda: self._refund(place, line))

    def _refund(self, place: int, line: ShopLine) -> None:
        order = self.world.shop_orders[place]
        finished = self.company.now()
        self.world.refunds.append(
            Refund(f"RF{len(self.world.refunds) + 1:06d}", order.number, line.number, line.quantity, line.amount,
                   finished - timedelta(hours=self.dice.randrange(3, 60)), finished)
        )  # fmt: skip
        self.back.append((self.company.today, self.world.refunds[-1]))
        self.company.move(
            "shop_return",
            "DST",
            1,
            "W03",
            [(line.product, line.quantity, None)],
            order.number,
            moment=finished,
        )

    def settle(self, day: date) -> None:
        """On the first working day of a week: everything shipped and refunded up to and with the day before."""
        first, last = self.settled_to + timedelta(days=1), day - timedelta(days=1)
        if last < first:
            return
        sent = [order for shipped, order in self.sent if shipped <= last]
        back = [item for finished, item in self.back if finished <= last]
        paid = self.company.later(1, 3)
        if not (sent or back) or paid > self.world.last:
            return  # nothing to settle; or it is paid after the end, and so not settled yet
        self.settled_to = last
        self.sent = [item for item in self.sent if item[0] > last]
        self.back = [item for item in self.back if item[0] > last]
        gross = sum((order.amount + order.freight for order in sent), ZERO)
        refunds = sum((item.amount for item in back), ZERO)
        fees = sum((order.fee for order in sent), ZERO)
        self.world.settlements.append(Settlement(f"JS{last:%Y%m%d}", first, last, gross, refunds, fees, paid))
