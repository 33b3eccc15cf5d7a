"""The history of 华辰精工, whatever the seed: it balances, nothing is sent that is not there, and time runs forward."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest

from sandbox.huachen.world import World, world
from sandbox.huachen.world.calendar import local_day
from sandbox.huachen.world.masters import check_character

SEEDS = (3, 41, 102)
ZERO = Decimal(0)
# 统一社会信用代码 that real companies publish about themselves.
PUBLISHED = (
    "91110000600037341L", "91440300708461136T", "914403001922038216", "91110000802100433B", "91330100799655058B",
)  # fmt: skip


@pytest.fixture(scope="module", params=SEEDS)
def made(request: pytest.FixtureRequest) -> World:
    return world(request.param)


def test_every_posting_balances_and_is_numbered_without_gaps(made: World) -> None:
    numbers = defaultdict(list)
    for voucher in made.vouchers:
        assert sum((line.debit - line.credit for line in voucher.lines), ZERO) == 0, voucher
        assert voucher.period == voucher.day.year * 100 + voucher.day.month
        numbers[voucher.entity, voucher.period].append(voucher.number)
    assert len(numbers) == 2 * 24
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())


def test_stock_is_never_negative_at_the_end_of_a_day(made: World) -> None:
    held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    days = defaultdict(list)
    for move in made.moves:
        days[move.day].append(move)
    for day in sorted(days):
        for move in days[day]:
            for line in move.lines:
                assert line.quantity > 0, move
                held[move.warehouse, line.product] += move.sign * line.quantity
        assert min(held.values()) >= 0, day


def test_a_document_stands_on_the_local_day_of_its_instant(made: World) -> None:
    documents = [
        *made.moves,
        *made.invoices,
        *made.supplier_invoices,
        *made.receipts,
        *made.payments,
    ]
    wrong = [item.number for item in documents if local_day(item.at) != item.day]
    orders = [*made.orders, *made.purchases, *made.spare_purchases]
    wrong += [item.number for item in orders if local_day(item.created_at) != item.day]
    assert wrong == []


def test_time_runs_forward_along_every_chain(made: World) -> None:
    orders = {item.number: item for item in [*made.orders, *made.purchases]}
    moves = {item.number: item for item in made.moves}
    bills = {item.number: item for item in [*made.invoices, *made.supplier_invoices]}
    requests = {item.number: item for item in made.requests}
    wrong: list[tuple[str, str]] = []

    def must(holds: bool, what: str, which: str) -> None:
        if not holds:
            wrong.append((what, which))

    for order in [*orders.values(), *made.spare_purchases]:
        must(order.created_at <= order.approved_at, "approved before it was made", order.number)
        must(
            order.approved_at <= order.modified_at or not order.done, "touched before approved", order.number
        )
        if order.source and order.source in requests:
            decided = requests[order.source].decided_at
            must(bool(decided) and local_day(decided) <= order.day, "ordered before approved", order.number)
    for move in made.moves:
        if move.reference in orders:
            must(orders[move.reference].approved_at < move.at, f"{move.kind} before approval", move.number)
    for bill in bills.values():
        for line in bill.lines:
            must(moves[line.move].at < bill.at, "billed before moved", bill.number)
            must(local_day(orders[line.order].created_at) < bill.day, "billed before ordered", bill.number)
        must(bill.day <= bill.due, "due before billed", bill.number)
    for paid in [*made.receipts, *made.payments]:
        for number, _ in paid.settles:
            must(bills[number].at < paid.at, "paid before billed", paid.number)
    for work in made.work_orders:
        must(local_day(work.created_at) < work.start, "begun before planned", work.number)
        must(work.start <= work.end, "ends before it begins", work.number)
        must(local_day(moves[str(work.issue)].at) == work.start, "issued on another day", work.number)
        if work.output:
            must(moves[str(work.issue)].at < moves[work.output].at, "made before issued", work.number)
    for item in made.shipments:
        must(moves[item.delivery].at <= item.shipped_at, "shipped before picked", item.number)
        must(not item.signed_at or item.shipped_at < item.signed_at, "signed before shipped", item.number)
    sent = {item.number: item for item in made.shop_orders}
    for item in made.shop_orders:
        must(not item.paid_at or item.created_at < item.paid_at, "paid before ordered", item.number)
        must(not item.shipped_at or item.paid_at < item.shipped_at, "sent before paid", item.number)
    for item in made.refunds:
        must(
            sent[item.order].shipped_at < item.created_at < item.finished_at, "back before sent", item.number
        )
    for item in made.approvals:
        instants = [item.created_at, *(at for _, at, _, _ in item.steps if at)]
        must(instants == sorted(instants), "steps out of order", item.number)
    for item in made.tickets:
        must(moves[item.delivery].at < item.created_at <= item.updated_at, "claimed before sent", item.key)
    for item in made.opportunities:
        must(item.created_at <= item.updated_at, "touched before made", item.number)
    assert wrong == []


def test_who_pays_has_the_approval_before(made: World) -> None:
    paid = {item.number: item for item in made.payments}
    approvals = [item for item in made.approvals if item.kind == "payment"]
    assert len(approvals) > 20
    late = [item.reference for item in approvals if item.finished_at >= paid[str(item.reference)].at]
    assert late == []


def test_nothing_is_dated_after_the_last_day(made: World) -> None:
    instants = [
        *((item.number, item.modified_at) for item in [*made.orders, *made.purchases]),
        *((item.number, at) for item in made.approvals for _, at, _, _ in item.steps if at),
        *((item.number, item.decided_at) for item in made.requests if item.decided_at),
        *((item.number, item.signed_at) for item in made.shipments if item.signed_at),
        *((item.key, item.updated_at) for item in made.tickets),
        *((item.number, item.updated_at) for item in made.opportunities),
        *((item.number, item.at) for item in made.moves),
    ]
    assert [number for number, moment in instants if local_day(moment) > made.last] == []


def test_nobody_deals_with_whom_the_company_does_not_know_yet(made: World) -> None:
    since = {item.number: item.since for item in [*made.customers, *made.foreign_customers, *made.suppliers]}
    hired = {item.number: item for item in made.employees}
    early = [
        item.number
        for item in [*made.orders, *made.purchases, *made.spare_purchases]
        if since[item.party] > item.day
    ]
    absent = [
        item.number
        for item in [*made.orders, *made.purchases, *made.spare_purchases]
        if not hired[item.person].works(item.day)
    ]
    assert (early, absent) == ([], [])


def test_a_supplier_that_was_taken_over_gets_no_more_orders(made: World) -> None:
    taken = {item.number: item.merged_on for item in made.suppliers if item.merged_into}
    assert len(taken) == 1
    orders = [*made.purchases, *made.spare_purchases]
    assert [o.number for o in orders if o.party in taken and o.day >= taken[o.party]] == []


def test_what_is_delivered_and_billed_never_exceeds_what_was_ordered(made: World) -> None:
    moved: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for move in made.moves:
        if move.kind in {"receipt", "delivery", "return"}:
            for line in move.lines:
                moved[str(move.reference), int(line.order_line or 0)] += line.quantity * (
                    -1 if move.kind == "return" else 1
                )
    billed: dict[tuple[str, int], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO, ZERO])
    for bill in [*made.invoices, *made.supplier_invoices]:
        for line in bill.lines:
            sums = billed[line.order, line.order_line]
            for place, value in enumerate((line.quantity, line.net, line.tax)):
                sums[place] += value
    for order in [*made.orders, *made.purchases]:
        for line in order.lines:
            key = (order.number, line.number)
            quantity, net, tax = billed[key]
            assert 0 <= quantity <= line.quantity, key
            assert quantity == order.billed.get(line.number, ZERO), key
            if order.entity == "HC":
                assert 0 <= moved[key] <= order.done.get(line.number, ZERO) <= line.quantity, key
            if quantity == line.quantity:
                assert (net, tax) == (line.net, line.tax), key


def test_the_stocks_of_work_in_progress_are_made_of_their_parts(made: World) -> None:
    """What a finished work order took is its bill of material times its quantity."""
    issues = {move.number: move for move in made.moves if move.kind == "issue"}
    for work in made.work_orders:
        took = {line.product: line.quantity for line in issues[str(work.issue)].lines}
        parts = made.product(work.product).parts
        assert took == {part: each * work.quantity for part, each in parts}, work.number
        if work.finished_at:
            assert work.good + work.scrap == work.quantity


def test_credit_codes_have_the_check_character_of_the_standard(made: World) -> None:
    codes = [item.credit_code for item in [*made.customers, *made.suppliers] if item.credit_code]
    assert len(codes) > 50 and len(set(codes)) == len(codes)
    assert all(_is_credit_code(code) for code in codes)


def test_the_check_itself_agrees_with_codes_that_are_published() -> None:
    for code in PUBLISHED:
        assert check_character(code[:17]) == code[17]
        assert _is_credit_code(code)
        assert not _is_credit_code(code[:8] + chr(ord(code[8]) ^ 1) + code[9:])


def test_another_seed_is_another_company_with_the_same_calendar() -> None:
    one, other = world(5), world(6)
    assert (one.first, one.last) == (other.first, other.last) == (date(2024, 1, 1), date(2025, 12, 31))
    assert {item.name for item in one.customers} != {item.name for item in other.customers}
    assert [item.amount for item in one.receipts[:20]] != [item.amount for item in other.receipts[:20]]


def _is_credit_code(code: str) -> bool:
    """GB 32100-2015, written from the standard: 3^i mod 31 weighs character i, and the whole is a multiple of 31."""
    letters = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    if len(code) != 18 or any(char not in letters for char in code):
        return False
    total = sum(letters.index(char) * pow(3, place, 31) for place, char in enumerate(code[:17]))
    return (total + letters.index(code[17])) % 31 == 0
