"""The same history as it stood on the evening of an earlier day: nothing of it knows what came after.

The days are lived to the end in any case, so that chance falls the same way; `standing` keeps the state of one evening. What
is written down at once with its later steps (a ticket, an approval, a delivery and its signature) is cut here. Numbers that a
system gives in the order of the whole history are taken from `World.history`, so that a row keeps its key when time goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date, datetime
from typing import Any

from sandbox.huachen.world.calendar import local_day
from sandbox.huachen.world.records import (
    Approval,
    Employee,
    Opportunity,
    Order,
    Party,
    Request,
    Ticket,
    World,
)


def standing(world: World, opportunities: list[Opportunity]) -> World:
    """A copy of what stands this evening; `opportunities` are those that are worked on and whose end is not known yet."""
    kept: dict[str, Any] = {
        field.name: list(value)
        for field in fields(world)
        if isinstance(value := getattr(world, field.name), list)
    }
    for name in ("orders", "purchases"):
        kept[name] = [replace(item, done=dict(item.done), billed=dict(item.billed)) for item in kept[name]]
    for name in ("invoices", "supplier_invoices"):
        kept[name] = [replace(item) for item in kept[name]]
    return replace(world, **kept | {"opportunities": [*world.opportunities, *opportunities]})


def as_of(whole: World, evening: World, until: date) -> World:
    """The world on the evening of `until`.

    Args:
        whole: The history to its end, with its books.
        evening: What stood that evening, from `standing`.
    """
    known = replace(
        evening,
        last=until,
        whole=whole,
        departments=[
            replace(item, valid_to=item.valid_to if item.valid_to and item.valid_to <= until else None)
            for item in whole.departments
            if item.valid_from <= until
        ],
        customers=_parties(whole.customers, until),
        foreign_customers=_parties(whole.foreign_customers, until),
        suppliers=_parties(whole.suppliers, until),
        rates={day: rate for day, rate in whole.rates.items() if day <= until},
        opportunities=[_opportunity(item, until) for item in evening.opportunities],
        orders=[_untouched(item, until) for item in evening.orders],
        requests=[_request(item, until) for item in evening.requests],
        shipments=[
            replace(item, signed_at=_by(item.signed_at, until)) if item.signed_at else item
            for item in evening.shipments
        ],
        settlements=[item for item in evening.settlements if item.paid_on <= until],
        tickets=[_ticket(item, until) for item in evening.tickets],
        # The people's own papers are not written day by day, and who pays has asked some days before.
        approvals=[_approval(item, until) for item in whole.approvals if local_day(item.created_at) <= until],
        attendance=[item for item in whole.attendance if item.day <= until],
        payroll=[item for item in whole.payroll if item[0] <= until],
        spare_purchases=[_spare(item, until) for item in whole.spare_purchases if item.day <= until],
        vouchers=[item for item in whole.vouchers if item.day <= until],
    )
    named = set(_named(known))
    known.employees = [
        _person(item, until) for item in whole.employees if item.hired <= until or item.number in named
    ]
    return known


def touched(world: World, since: date) -> World:
    """The same world, in which an order that was billed after `since` says so in its time of change."""
    orders = [
        replace(item, modified_at=max(item.modified_at, item.billed_at))
        if item.billed_at and local_day(item.billed_at) > since
        else item
        for item in world.orders
    ]
    return replace(world, orders=orders)


def _by(moment: datetime | None, until: date) -> datetime | None:
    """A moment that has come, or None."""
    return moment if moment and local_day(moment) <= until else None


def _parties(every: list[Party], until: date) -> list[Party]:
    return [
        item
        if item.merged_on is None or item.merged_on <= until
        else replace(item, merged_into=None, merged_on=None)
        for item in every
        if item.since <= until
    ]


def _person(item: Employee, until: date) -> Employee:
    posts = tuple(post for post in item.posts if post[0] <= until or post is item.posts[0])
    return replace(item, posts=posts, left=item.left if item.left and item.left <= until else None)


def _opportunity(item: Opportunity, until: date) -> Opportunity:
    if _by(item.updated_at, until):
        return item
    return replace(item, stage="初步接触", updated_at=item.created_at)


def _untouched(item: Order, until: date) -> Order:
    """An order whose approval is still to come has not been touched since it was made."""
    return item if _by(item.modified_at, until) else replace(item, modified_at=item.created_at)


def _spare(item: Order, until: date) -> Order:
    closed = max(line.due for line in item.lines) <= until
    touched = _by(item.modified_at, until) or _by(item.approved_at, until) or item.created_at
    return replace(item, closed=closed, modified_at=touched)


def _request(item: Request, until: date) -> Request:
    if item.decided_at is None or _by(item.decided_at, until):
        return item
    return replace(item, decided_at=None, state="审批中", order=None)


def _ticket(item: Ticket, until: date) -> Ticket:
    steps = tuple(step for step in item.history if _by(step[0], until))
    if len(steps) == len(item.history):
        return item
    return replace(
        item,
        history=steps,
        status=steps[-1][3] if steps else item.history[0][2],
        updated_at=steps[-1][0] if steps else item.created_at,
        resolved_at=_by(item.resolved_at, until),
    )


def _approval(item: Approval, until: date) -> Approval:
    if all(at is None or _by(at, until) for _, at, _, _ in item.steps):
        return item
    steps = tuple(
        (who, at, said, node) if _by(at, until) else (who, None, "待审", node)
        for who, at, said, node in item.steps
    )
    return replace(item, steps=steps, finished_at=None, status="PENDING")


def _named(world: World) -> Iterator[str]:
    """Who is on a document: a chief may sign before the day that the roster gives for the first one."""
    for order in (*world.orders, *world.purchases, *world.spare_purchases):
        yield order.person
    for item in (
        *world.opportunities,
        *world.requests,
        *world.work_orders,
        *world.inspections,
        *world.quality,
    ):
        yield item.person
    for approval in world.approvals:
        yield approval.person
        yield from (who for who, _, _, _ in approval.steps)
    for ticket in world.tickets:
        yield ticket.person
        yield from (who for _, who, _, _ in ticket.history)
