"""Two fiscal years day by day: orders to cash, purchase to pay, plan to produce, the shop, the people.

What happens on a day follows from what stands in stock and what is due; documents are numbered as they arise. The
books are kept afterwards from the documents (`books`), so that they balance because each posting does.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, ROUND_UP, Decimal
from functools import partial

from sandbox.huachen.world import people, shop
from sandbox.huachen.world.asof import as_of, standing, touched
from sandbox.huachen.world.books import keep_books
from sandbox.huachen.world.calendar import at, days, local_day, month_end, next_working_day, works
from sandbox.huachen.world.masters import masters
from sandbox.huachen.world.records import (
    CENT,
    Approval,
    Bill,
    BillLine,
    Inspection,
    Line,
    Move,
    MoveLine,
    Opportunity,
    Order,
    Party,
    Payment,
    Product,
    Request,
    Shipment,
    Ticket,
    WorkOrder,
    World,
)

FIRST, LAST = date(2024, 1, 1), date(2025, 12, 31)
SUBSIDIARY = "C9001"  # Huachen Europe GmbH, as the parent's customer
_TAX = Decimal("0.13")
ZERO = Decimal(0)


def world(seed: int = 2026, scale: int = 1, until: date | None = None, since: date | None = None) -> World:
    """The whole history, or what of it is known on the evening of a day.

    Args:
        scale: About how many times the business of the smallest company; 1 gives some 5,000 documents a year.
        until: A day of the history; None is its last.
        since: The company was looked at on this earlier day; what is written back into its orders after it is a change
            of theirs, so that whoever asks for changes sees it.
    """
    made = World(seed, scale, FIRST, LAST)
    masters(made)
    made.customers.append(
        Party(SUBSIDIARY, "Huachen Europe GmbH", "HCE", None, "DE", "Stuttgart", "Hafenstrasse 12", "K. Weber",
              "+49 711 550100", FIRST - timedelta(days=700), 60)
    )  # fmt: skip
    evening = _Company(made).run(until)
    people.live(made)
    keep_books(made)
    known = as_of(made, evening, until) if until and evening else made
    return touched(known, since) if since else known


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


class _Company:
    """The state of the company between two days."""

    def __init__(self, made: World) -> None:
        self.world = made
        self.products = {item.code: item for item in made.products}
        self.finished = [item for item in made.products if item.kind == "finished"]
        self.parties = {
            item.number: item for item in [*made.customers, *made.foreign_customers, *made.suppliers]
        }
        self.stock: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.coming: dict[str, Decimal] = defaultdict(Decimal)  # ordered or in work
        self.waiting: list[WorkOrder] = []  # materials are missing
        self.open: list[Order] = []
        self.diary: dict[date, list[Callable[[], None]]] = defaultdict(list)
        self.numbers: dict[str, int] = defaultdict(int)
        self.dice = random.Random(f"{made.seed}:history")
        self.today = made.first
        self.hoped: dict[str, Opportunity] = {}  # opportunities whose end is still to come
        self.twins: dict[str, Order] = {}  # the parent's order → the subsidiary's
        self.people = {
            code: [e for e in made.employees if e.posts[0][1] == code]
            for code in {e.posts[0][1] for e in made.employees}
        }
        self.shop = shop.Shop(self)

    def run(self, until: date | None = None) -> World | None:
        """Live every day; returns what stands on the evening of `until`, if that is before the last day."""
        evening = None
        self._open_stock()
        for day in days(self.world.first, self.world.last):
            self.today = day
            for happens in self.diary.pop(day, ()):
                happens()
            self.shop.sell(day)
            if works(day):
                self._produce()
                self._deliver()
                self._sell()
                self.shop.ship(day)
                if day.weekday() == 0 or not works(day - timedelta(days=1)):
                    self._plan()
                    self._inspect()
                    self.shop.settle(day)
            if month_end(day):
                self._count()
            if day == until != self.world.last:
                evening = standing(self.world, list(self.hoped.values()))
        return evening

    # --- small things ---

    def number(self, letters: str, *, by_month: bool = True) -> str:
        name = f"{letters}{self.today:%Y%m}" if by_month else letters
        self.numbers[name] += 1
        return f"{name}{self.numbers[name]:04d}"

    def later(self, low: int, high: int) -> date:
        return next_working_day(self.today + timedelta(days=self.dice.randrange(low, high + 1)))

    def then(self, day: date, happens: Callable[[], None]) -> None:
        """Let something happen on a later day (what is for today has begun already), if it still lies within the history."""
        day = max(day, next_working_day(self.today + timedelta(days=1)))
        if day <= self.world.last:
            self.diary[day].append(happens)

    def now(self) -> datetime:
        return at(self.today, self.dice)

    def person(self, department: str) -> str:
        here = [item for item in self.people[department] if item.works(self.today)]
        return self.dice.choice(here or self.people[department]).number

    def times(self, rate: float) -> int:
        """How often something that happens `rate` times a day at scale 1 happens today."""
        mean = rate * self.world.scale
        whole = int(mean)
        return (
            whole + (self.dice.random() < mean - whole)
            if mean < 30
            else max(0, round(self.dice.gauss(mean, mean**0.5)))
        )

    def move(
        self, kind: str, letters: str, sign: int, warehouse: str, lines: list[tuple[str, Decimal, int | None]],
        reference: str | None = None, party: str | None = None, moment: datetime | None = None,
    ) -> Move:  # fmt: skip
        """Write a stock document and change the stock."""
        made = []
        for place, (code, quantity, order_line) in enumerate(lines, start=1):
            self.stock[warehouse, code] += sign * quantity
            assert self.stock[warehouse, code] >= 0, (kind, warehouse, code)
            made.append(
                MoveLine(place, code, quantity, cents(self.products[code].cost * quantity), order_line)
            )
        moved = Move(
            self.number(letters),
            kind,
            sign,
            warehouse,
            self.today,
            moment or self.now(),
            tuple(made),
            reference,
            party,
        )
        self.world.moves.append(moved)
        return moved

    # --- stock at the beginning, and its count ---

    def safety(self, item: Product) -> Decimal:
        """What should always be there: by price for products; for materials what three weeks of products need."""
        if item.kind == "finished":
            base = 160 if item.price < 200 else 60 if item.price < 3000 else 12
            return Decimal(base * self.world.scale)
        need = sum(
            (self.safety(product) * quantity for product in self.finished for part, quantity in product.parts if part == item.code),
            ZERO,
        )  # fmt: skip
        return (need * Decimal("1.2")).quantize(Decimal(1), ROUND_UP)

    def _open_stock(self) -> None:
        for kind, warehouse in (("material", "W01"), ("finished", "W02")):
            lines: list[tuple[str, Decimal, int | None]] = [
                (item.code, self.safety(item) * 2, None) for item in self.world.products if item.kind == kind
            ]
            self.move("opening", "QC", 1, warehouse, lines)
        shelf: list[tuple[str, Decimal, int | None]] = [
            (item.code, Decimal(40 * self.world.scale), None) for item in self.finished if item.shop
        ]
        self.move("opening", "QC", 1, "W03", shelf)

    def _count(self) -> None:
        """Month end: some shelves are counted, a few differ."""
        for warehouse in self.world.warehouses:
            here = sorted(
                code for (place, code), quantity in self.stock.items() if place == warehouse and quantity > 0
            )
            number = self.number("PD")
            for code in self.dice.sample(here, min(5, len(here))):
                book = self.stock[warehouse, code]
                off = Decimal(self.dice.choice((-2, -1, 0, 0, 0, 0, 0, 1)))
                counted = max(book + off, ZERO)
                self.world.counts.append((number, self.today, warehouse, code, book, counted))
                if counted != book:
                    sign = 1 if counted > book else -1
                    self.move(
                        "count",
                        "PDY" if sign > 0 else "PDK",
                        sign,
                        warehouse,
                        [(code, abs(counted - book), None)],
                        number,
                    )

    # --- orders to cash ---

    def _sell(self) -> None:
        for _ in range(self.times(1.1)):
            self._opportunity("HC")
        for _ in range(self.times(0.25)):
            self._opportunity("HCE")
        for _ in range(self.times(1.3)):
            self._order("HC", self._customer("HC"))
        for _ in range(self.times(0.3)):
            self._order("HCE", self._customer("HCE"))
        for _ in range(self.times(0.35)):
            self._order("HCE", self._customer("HCE"), f"web:EU{self.number('', by_month=False)}")

    def _customer(self, entity: str) -> str:
        every = self.world.customers[:-1] if entity == "HC" else self.world.foreign_customers
        here = [item for item in every if item.since <= self.today]
        # A few buy much, most little.
        return here[int(len(here) * self.dice.random() ** 2)].number

    def _opportunity(self, entity: str) -> None:
        number = self.number("SJ" if entity == "HC" else "OPP-")
        created, customer, person = self.now(), self._customer(entity), self.person("210")
        ends, luck = self.later(15, 75), self.dice.random()
        amount = Decimal(self.dice.randrange(5, 300) * 1000)
        began = self.today

        def end() -> None:
            del self.hoped[number]
            order = self._order(entity, customer, number) if luck < 0.4 else None
            total = sum((line.net for line in order.lines), ZERO) if order else amount
            stage = "赢单" if order else "输单"
            self.world.opportunities.append(
                Opportunity(
                    number,
                    customer,
                    person,
                    stage,
                    total,
                    created,
                    self.now(),
                    ends,
                    order.number if order else None,
                    entity,
                )
            )

        if ends <= self.world.last and luck < 0.85:
            self.hoped[number] = Opportunity(
                number, customer, person, "初步接触", amount, created, created, ends, None, entity
            )
            self.then(ends, end)
        else:
            stage = self.dice.choice(("初步接触", "方案报价", "商务谈判"))
            touched = at(
                min(began + timedelta(days=self.dice.randrange(0, 15)), self.world.last), self.dice, 14, 18
            )
            touched = max(touched, created)
            self.world.opportunities.append(
                Opportunity(number, customer, person, stage, amount, created, touched, ends, None, entity)
            )

    def _order(self, entity: str, customer: str, source: str | None = None) -> Order:
        web = bool(source and source.startswith("web:"))
        tax = _TAX if entity == "HC" else Decimal("0.19") if self.parties[customer].country == "DE" else ZERO
        discount = Decimal(self.dice.choice((0, 0, 0, 3, 5, 8, 10))) / 100
        lines = []
        goods = [item for item in self.finished if item.shop] if web else self.finished
        for item in self.dice.sample(goods, self.dice.choice((1, 1, 2, 3) if not web else (1, 1, 2))):
            most = 3 if web else 60 if item.price < 200 else 20 if item.price < 3000 else 4
            price = cents(item.price * (1 - discount))
            if entity == "HCE":
                price = cents(price / Decimal("7.2") * Decimal("1.15"))
            quantity = Decimal(self.dice.randrange(1, most + 1))
            net = cents(price * quantity)
            lines.append(
                Line(len(lines) + 1, item.code, quantity, price, net, cents(net * tax), self.later(5, 35))
            )
        order = self._made_order(entity, customer, lines, tax, source)
        if discount >= Decimal("0.08") and entity == "HC":
            self._approve("discount", f"{customer} 折扣 {discount:.0%}", order.person, order.number, None)
        if entity == "HCE":
            self._drop_ship(order)
        return order

    def _made_order(
        self, entity: str, customer: str, lines: list[Line], tax: Decimal, source: str | None
    ) -> Order:
        created = self.now()
        approved = max(at(self.later(0, 2), self.dice), created)
        touched = approved if local_day(approved) <= self.world.last else created
        order = Order(
            self.number("XS" if entity == "HC" else "45"), entity, customer, self.today, created, approved,
            touched, "CNY" if entity == "HC" else "EUR", tax, self.person("210"), lines, source,
        )  # fmt: skip
        self.world.orders.append(order)
        if entity == "HC":
            self.open.append(order)
        return order

    def _drop_ship(self, order: Order) -> None:
        """The subsidiary has no stock: the parent sells it the goods and sends them to its customer."""
        lines = []
        for line in order.lines:
            price = cents(self.products[line.product].price * Decimal("0.72"))
            lines.append(
                Line(
                    line.number,
                    line.product,
                    line.quantity,
                    price,
                    cents(price * line.quantity),
                    ZERO,
                    line.due,
                )
            )
        parent = self._made_order("HC", SUBSIDIARY, lines, ZERO, f"HCE:{order.number}")
        self.twins[parent.number] = order

    def _deliver(self) -> None:
        still = []
        for order in self.open:
            if local_day(order.approved_at) >= self.today:  # nothing leaves before the order is approved
                still.append(order)
                continue
            ready = [
                (line, quantity)
                for line in order.lines
                if line.due <= self.today
                and (quantity := min(order.open(line), self.stock["W02", line.product])) > 0
            ]
            # Several lines of one order may want the same product: what one takes the other has not.
            left = {line.product: self.stock["W02", line.product] for line, _ in ready}
            goods = []
            for line, quantity in ready:
                quantity = min(quantity, left[line.product])
                if quantity > 0:
                    left[line.product] -= quantity
                    goods.append((line, quantity))
            if goods:
                self._send(order, goods)
            if any(order.open(line) > 0 for line in order.lines):
                still.append(order)
            else:
                order.closed = True
        self.open = still

    def _send(self, order: Order, goods: list[tuple[Line, Decimal]]) -> None:
        listed: list[tuple[str, Decimal, int | None]] = [
            (line.product, quantity, line.number) for line, quantity in goods
        ]
        sent = self.move("delivery", "CK", -1, "W02", listed, order.number, order.party)
        for line, quantity in goods:
            order.done[line.number] = order.done.get(line.number, ZERO) + quantity
        order.modified_at = sent.at
        shipped = sent.at + timedelta(hours=2)
        signed = at(self.today + timedelta(days=self.dice.randrange(1, 5)), self.dice)
        freight = cents(Decimal(self.dice.randrange(3000, 40000)) / 100)
        carrier = self.dice.choice(("顺丰速运", "德邦快递", "跨越速运"))
        known = signed if local_day(signed) <= self.world.last else None
        self.world.shipments.append(
            Shipment(self.number("YD"), sent.number, carrier, shipped, known, freight)
        )
        self.then(self.later(1, 12), lambda: self._bill(order, sent, goods))
        if self.dice.random() < 0.05:
            self.then(self.later(10, 40), lambda: self._return(order, sent, goods[0]))
        if self.dice.random() < 0.06:
            self.then(self.later(3, 60), lambda: self._ticket(order, sent, goods[0][0].product))
        twin = self.twins.get(order.number)
        if twin:
            for line, quantity in goods:
                twin.done[line.number] = twin.done.get(line.number, ZERO) + quantity
            twin.modified_at = sent.at + timedelta(hours=6)
            twin.closed = all(twin.open(line) == 0 for line in twin.lines)
            theirs = [(twin.line(line.number), quantity) for line, quantity in goods]
            self.then(self.later(5, 9), partial(self._bill, twin, sent, theirs))

    def _bill(self, order: Order, sent: Move, goods: list[tuple[Line, Decimal]], sign: int = 1) -> None:
        lines = []
        for line, quantity in goods:
            # The last part of a line takes what rounding left, so that a line billed in parts adds up.
            before = order.billed.get(line.number, ZERO)
            order.billed[line.number] = after = before + sign * quantity
            net = cents(line.net * after / line.quantity) - cents(line.net * before / line.quantity)
            tax = cents(line.tax * after / line.quantity) - cents(line.tax * before / line.quantity)
            lines.append(
                BillLine(
                    len(lines) + 1,
                    line.product,
                    sign * quantity,
                    net,
                    tax,
                    order.number,
                    line.number,
                    sent.number,
                )
            )
        due = self.today + timedelta(days=self.parties[order.party].payment_days)
        letters = {"HC": "YS", "HCE": "90"}[order.entity] + ("" if sign > 0 else "R")
        bill = Bill(
            self.number(letters),
            order.entity,
            order.party,
            self.today,
            self.now(),
            due,
            order.currency,
            tuple(lines),
        )
        self.world.invoices.append(bill)
        order.billed_at = bill.at
        if sign > 0 and self.dice.random() < 0.96:
            parts = 2 if self.dice.random() < 0.15 else 1
            first = cents(bill.gross / parts)
            for place, amount in enumerate([first, bill.gross - first][:parts]):
                day = next_working_day(due + timedelta(days=self.dice.randrange(-5, 25) + 20 * place))
                if amount > 0:
                    self.then(
                        max(day, next_working_day(self.today + timedelta(days=1))),
                        self._receiver(bill, amount),
                    )

    def _receiver(self, bill: Bill, amount: Decimal) -> Callable[[], None]:
        def receive() -> None:
            bill.paid += amount
            letters = {"HC": "SK", "HCE": "14"}[bill.entity]
            self.world.receipts.append(
                Payment(self.number(letters), bill.entity, bill.party, self.today, self.now(), bill.currency, amount,
                        ((bill.number, amount),))
            )  # fmt: skip

        return receive

    def _return(self, order: Order, sent: Move, good: tuple[Line, Decimal]) -> None:
        line, quantity = good
        if order.number in self.twins or order.billed.get(line.number, ZERO) < quantity:
            return  # nothing was billed yet, or the goods are abroad
        back = min(quantity, Decimal(self.dice.randrange(1, 4)))
        self.move("return", "TH", 1, "W02", [(line.product, back, line.number)], order.number, order.party)
        order.modified_at = self.now()
        self.then(self.later(1, 5), lambda: self._bill(order, sent, [(line, back)], -1))

    def _ticket(self, order: Order, sent: Move, product: str) -> None:
        key = f"AS-{len(self.world.tickets) + 1}"
        created, who = self.now(), self.person("800")
        steps, status, moment, solved = [], "待处理", created, None
        for to in ("处理中", "已解决", "已关闭"):
            moment += timedelta(hours=self.dice.randrange(2, 90))
            if local_day(moment) > self.world.last or self.dice.random() < 0.06:
                break
            steps.append((moment, who, status, to))
            status = to
            solved = moment if to == "已解决" else solved
        title = f"{self.products[product].name} {self.dice.choice(('异响', '无法启动', '精度超差', '缺少配件', '外观划伤'))}"
        self.world.tickets.append(
            Ticket(key, title, order.party, product, sent.number, self.dice.choice(("High", "Medium", "Low")), who, created,
                   steps[-1][0] if steps else created, solved, status, tuple(steps))
        )  # fmt: skip

    # --- plan to produce, purchase to pay ---

    def _plan(self) -> None:
        ordered: dict[str, Decimal] = defaultdict(Decimal)
        for order in self.open:
            for line in order.lines:
                ordered[line.product] += order.open(line)
        for item in self.finished:
            here = self.stock["W02", item.code] + self.coming[item.code]
            want = ordered[item.code] + self.safety(item) * (2 if item.shop else 1)
            if here < want:
                lot = 50 if item.price < 200 else 20 if item.price < 3000 else 3
                short = Decimal(lot * self.world.scale)
                quantity = ((want - here) / short).quantize(Decimal(1), ROUND_UP) * short
                self._work(item, quantity)
        needed: dict[str, Decimal] = defaultdict(Decimal)
        for work in self.waiting:
            for part, quantity in self.products[work.product].parts:
                needed[part] += quantity * work.quantity
        short_of = []
        for item in self.world.products:
            if item.kind == "material":
                missing = (
                    needed[item.code]
                    + self.safety(item)
                    - self.stock["W01", item.code]
                    - self.coming[item.code]
                )
                if missing > 0:
                    packs = (missing / item.pack).quantize(Decimal(1), ROUND_UP)
                    short_of.append((item, packs * item.pack))
        if short_of:
            self._request(short_of)

    def _work(self, item: Product, quantity: Decimal) -> None:
        self.coming[item.code] += quantity
        start = self.later(1, 4)
        self.waiting.append(
            WorkOrder(self.number("MO"), item.code, quantity, self.now(), start, next_working_day(start + timedelta(days=5)),
                      None, ZERO, ZERO, None, None, self.person("400"))
        )  # fmt: skip

    def _produce(self) -> None:
        still = []
        for work in self.waiting:
            parts: list[tuple[str, Decimal, int | None]] = [
                (part, quantity * work.quantity, None) for part, quantity in self.products[work.product].parts
            ]
            if work.start <= self.today and all(
                self.stock["W01", part] >= quantity for part, quantity, _ in parts
            ):
                issue = self.move("issue", "LL", -1, "W01", parts, work.number)
                self._finish_later(work, issue)
            else:
                still.append(work)
        self.waiting = still

    def _finish_later(self, work: WorkOrder, issue: Move) -> None:
        begun = len(self.world.work_orders)
        due = max(work.end, next_working_day(self.today + timedelta(days=5)))  # what begins late ends late
        running = WorkOrder(
            work.number, work.product, work.quantity, work.created_at, self.today, due, None, ZERO, ZERO,
            issue.number, None, work.person,
        )  # fmt: skip
        self.world.work_orders.append(running)

        def finish() -> None:
            scrap = Decimal(self.dice.choice((0, 0, 0, 0, 1))) if work.quantity > 5 else ZERO
            good = work.quantity - scrap
            moment = self.now()
            output = self.move(
                "output", "RK", 1, "W02", [(work.product, good, None)], work.number, moment=moment
            )
            self.coming[work.product] -= work.quantity
            self.world.work_orders[begun] = WorkOrder(
                work.number, work.product, work.quantity, work.created_at, running.start, self.today, moment, good, scrap,
                issue.number, output.number, work.person,
            )  # fmt: skip

        self.then(self.later(3, 7), finish)

    def _request(self, short_of: list[tuple[Product, Decimal]]) -> None:
        number, created, who = self.number("QG"), self.now(), self.person("400")
        needed = self.later(10, 20)
        lines = tuple((item.code, quantity, needed) for item, quantity in short_of)
        place = len(self.world.requests)
        self.world.requests.append(Request(number, who, created, None, "审批中", lines))
        for item, quantity in short_of:
            self.coming[item.code] += quantity

        def approve() -> None:
            groups: dict[str, list[tuple[Product, Decimal]]] = defaultdict(list)
            for item, quantity in short_of:
                groups[self._supplier(item)].append((item, quantity))
            orders = [self._purchase(supplier, goods, number) for supplier, goods in groups.items()]
            self.world.requests[place] = Request(
                number, who, created, max(self.now(), created), "已通过", lines, ",".join(orders)
            )

        self.then(self.later(0, 3) if self.dice.random() < 0.9 else self.later(4, 9), approve)
        if self.dice.random() < 0.06:  # somebody asks for what nobody needs
            asked, refused = self.now(), at(self.later(1, 3), self.dice)
            if local_day(refused) <= self.world.last:
                self.world.requests.append(
                    Request(self.number("QG"), self.person("410"), asked, refused, "已驳回", lines[:1])
                )

    def _supplier(self, item: Product) -> str:
        supplier, second = self.parties[str(item.supplier)], self.parties[str(item.second)]
        if second.since <= self.today and self.dice.random() < 0.3:
            return second.number
        if supplier.merged_into and supplier.merged_on and self.today >= supplier.merged_on:
            return supplier.merged_into
        return supplier.number

    def _purchase(self, supplier: str, goods: list[tuple[Product, Decimal]], request: str) -> str:
        created = self.now()
        lines = []
        for item, quantity in goods:
            price = max(cents(item.cost * Decimal(self.dice.randrange(94, 107)) / 100), CENT)
            net = cents(price * quantity)
            lines.append(
                Line(len(lines) + 1, item.code, quantity, price, net, cents(net * _TAX), self.later(5, 15))
            )
        order = Order(
            self.number("CG"), "HC", supplier, self.today, created, created + timedelta(minutes=self.dice.randrange(10, 300)),
            created + timedelta(hours=5), "CNY", _TAX, self.person("300"), lines, request,
        )  # fmt: skip
        self.world.purchases.append(order)
        parts = 2 if self.dice.random() < 0.2 else 1
        for place in range(parts):
            self.then(
                self.later(4 + 4 * place, 12 + 6 * place), self._receives(order, last=place == parts - 1)
            )
        return order.number

    def _receives(self, order: Order, *, last: bool) -> Callable[[], None]:
        def receive() -> None:
            goods = []
            for line in order.lines:
                open_quantity = order.open(line)
                pack = self.products[line.product].pack
                half = (open_quantity / 2 / pack).quantize(Decimal(1), ROUND_UP) * pack
                quantity = open_quantity if last else min(half, open_quantity)
                if quantity > 0:
                    goods.append((line, quantity))
            if not goods:
                return
            listed: list[tuple[str, Decimal, int | None]] = [
                (line.product, quantity, line.number) for line, quantity in goods
            ]
            came = self.move("receipt", "DH", 1, "W01", listed, order.number, order.party)
            for line, quantity in goods:
                order.done[line.number] = order.done.get(line.number, ZERO) + quantity
                self.coming[line.product] -= quantity
                self._check_quality(came, line, quantity)
            order.modified_at = came.at
            order.closed = all(order.open(line) == 0 for line in order.lines)
            self.then(self.later(2, 18), lambda: self._invoiced(order, came, goods))

        return receive

    def _check_quality(self, came: Move, line: Line, quantity: Decimal) -> None:
        rejected = Decimal(self.dice.randrange(1, 4)) if self.dice.random() < 0.07 and quantity > 20 else ZERO
        self.world.quality.append(
            Inspection(f"{came.number}-{line.number}", line.product, self.person("410"), came.at + timedelta(hours=1),
                       "让步接收" if rejected else "合格", min(quantity, Decimal(50)), rejected, "尺寸偏差" if rejected else "", came.number)
        )  # fmt: skip

    def _invoiced(self, order: Order, came: Move, goods: list[tuple[Line, Decimal]]) -> None:
        lines = []
        for line, quantity in goods:
            before = order.billed.get(line.number, ZERO)
            order.billed[line.number] = after = before + quantity
            net = cents(line.net * after / line.quantity) - cents(line.net * before / line.quantity)
            tax = cents(line.tax * after / line.quantity) - cents(line.tax * before / line.quantity)
            lines.append(
                BillLine(
                    len(lines) + 1, line.product, quantity, net, tax, order.number, line.number, came.number
                )
            )
        due = self.today + timedelta(days=self.parties[order.party].payment_days)
        bill = Bill(self.number("YF"), "HC", order.party, self.today, self.now(), due, "CNY", tuple(lines))
        self.world.supplier_invoices.append(bill)
        self.then(next_working_day(due + timedelta(days=self.dice.randrange(0, 12))), lambda: self._pay(bill))

    def _pay(self, bill: Bill) -> None:
        bill.paid += bill.gross
        paid = Payment(
            self.number("FK"),
            "HC",
            bill.party,
            self.today,
            self.now(),
            "CNY",
            bill.gross,
            ((bill.number, bill.gross),),
        )
        self.world.payments.append(paid)
        if bill.gross > 10000:
            self._approve(
                "payment", f"付款申请 {paid.number}", self.person("600"), paid.number, bill.gross, before=True
            )

    def _approve(
        self,
        kind: str,
        title: str,
        person: str,
        reference: str,
        amount: Decimal | None,
        *,
        before: bool = False,
    ) -> None:
        """An approval in 飞书 around a document; `before`: it was done when the document was made."""
        # The steps take up to 18 hours: what begins two days before is done on the day before.
        moment = self.now() - timedelta(days=self.dice.randrange(2, 5)) if before else self.now()
        first = moment + timedelta(minutes=self.dice.randrange(5, 400))
        second = first + timedelta(minutes=self.dice.randrange(5, 700))
        chiefs = ((self.people["200" if kind == "discount" else "600"][0].number, first, "部门负责人"),
                  (self.people["100"][0].number, second, "总经理"))  # fmt: skip
        # What would be decided after the last day is still open then.
        steps = tuple(
            (who, when, "通过", node) if local_day(when) <= self.world.last else (who, None, "待审", node)
            for who, when, node in chiefs
        )
        done = steps[-1][1]
        self.world.approvals.append(
            Approval(f"FS{len(self.world.approvals) + 1:05d}", kind, "feishu", title, person, moment, done,
                     "APPROVED" if done else "PENDING", amount, reference, steps)
        )  # fmt: skip

    def _inspect(self) -> None:
        for machine in ("冲床-01", "冲床-02", "数控车床-01", "数控车床-02", "加工中心-01", "装配线-A"):
            odd = self.dice.random() < 0.08
            self.world.inspections.append(
                Inspection(self.number("DJ"), machine, self.person("410"), self.now(), "异常" if odd else "正常", Decimal(8),
                           Decimal(1 if odd else 0), self.dice.choice(("润滑不足", "异响", "温度偏高")) if odd else "")
            )  # fmt: skip
