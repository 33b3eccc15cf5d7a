"""Every governed metric a second time: rules written by hand, in plain Python, over rows as they lie in the marts.

Nothing here reads the YAML or uses the compiler. A metric that has no entry in `METRICS` has no proof.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import duckdb

Amount = Decimal | int
Value = Amount | float
Row = Any  # a named tuple of one fact's columns
Members = tuple[str | None, ...]
Cells = dict[tuple[date | None, Members], Value]


# --- what each metric means -------------------------------------------------------------------------


@dataclass(frozen=True)
class Sum:
    """Amounts of the rows of a fact; None leaves the row out."""

    fact: str
    day: str
    amount: Callable[[Row], Amount | None]


@dataclass(frozen=True)
class Running(Sum):
    """All amounts up to the end of the period; it ends with the last day any row of the fact has."""


@dataclass(frozen=True)
class Last(Sum):
    """Amounts of the last day that any row of the fact has within the period."""


@dataclass(frozen=True)
class Quotient:
    """No value where either side has none, or the divisor is zero."""

    top: str
    bottom: str


@dataclass(frozen=True)
class Difference:
    """A side without a value counts as zero; no value where both have none."""

    first: str
    second: str


@dataclass(frozen=True)
class Share:
    """(first - second) / first."""

    first: str
    second: str


Rule = Sum | Quotient | Difference | Share

# The columns that are read; keys of dimensions are read with them.
FACTS = {
    "fct_sales_order_line": "order_date is_booked is_cancelled is_intercompany order_amount_net_cny order_amount_gross_txn order_qty_base currency_code",
    "fct_sales_order": "order_date is_booked currency_code",
    "fct_order_to_cash": "order_date open_to_ship_qty_base",
    "fct_delivery_line": "ship_date is_shipped delivery_kind shipped_amount_net_cny cost_amount_cny ship_qty_base currency_code",
    "fct_opportunity": "opened_date is_converted opportunity_amount_cny",
    "fct_platform_order_line": "order_date paid_date ship_date is_cancelled is_paid is_shipped order_amount_net_cny order_amount_gross_cny freight_amount_gross_txn currency_code platform_name",
    "fct_platform_order": "order_date is_cancelled source_system platform_name",
    "fct_platform_refund_line": "refund_date status_code refund_amount_gross_cny",
    "fct_platform_settlement": "payment_date payment_amount_cny fee_amount_txn currency_code",
    "fct_purchase_order_line": "order_date is_ordered order_amount_net_cny",
    "fct_purchase_request_line": "request_date",
    "fct_purchase_to_pay": "order_date is_goods open_to_receive_qty_base",
    "fct_goods_receipt_line": "receipt_date is_received received_amount_net_cny receipt_qty_base",
    "fct_supplier_invoice_line": "invoice_date is_posted is_goods invoice_amount_net_cny invoice_amount_gross_cny invoice_amount_tax_cny",
    "fct_sales_invoice_line": "invoice_date is_posted is_draft is_intercompany invoice_amount_net_cny invoice_amount_gross_cny invoice_amount_tax_cny invoice_amount_net_txn currency_code",
    "fct_payment": "payment_date is_posted payment_kind bank_amount_cny",
    "fct_ledger_entry_line": "entry_date is_posted is_revenue is_receivable is_cash is_stock_balance is_closing account_code debit_amount_cny credit_amount_cny",
    "fct_stock_balance_day": "balance_date closing_qty",
    "fct_stock_move": "move_date is_done move_kind from_warehouse_key to_warehouse_key stated_qty_base stock_value_amount_cny",
    "fct_stock_count_line": "count_date is_done expected_qty counted_qty",
    "fct_work_order": "effective_date planned_date is_done planned_qty produced_qty scrapped_qty",
    "fct_material_issue": "effective_date is_done issue_cost_amount_cny",
    "fct_production_output": "effective_date is_done output_cost_amount_cny",
    "fct_quality_check": "check_date check_kind is_passed",
    "fct_shipment": "ship_date signed_date shipped_at signed_at carrier_name freight_amount_gross_cny",
    "fct_timesheet_line": "work_date worked_hours work_name",
    "fct_attendance_day": "work_date",
    "fct_headcount_month": "month_end_date",
    "fct_approval": "start_date decision_date started_at decided_at is_rejected approval_kind",
    "fct_service_ticket": "open_date resolve_date open_hours priority_name ticket_kind",
}  # fmt: skip
# What a metric is split by → column of the row, and the dimension the column leads to (none: it is the member).
DIMENSIONS = {
    "company_code": ("company_key", ("dim_organisation", "organisation_key", "organisation_code")),
    "company_name": ("company_key", ("dim_organisation", "organisation_key", "organisation_name")),
    "department_code": ("organisation_key", ("dim_organisation", "organisation_key", "organisation_code")),
    "department_name": ("organisation_key", ("dim_organisation", "organisation_key", "organisation_name")),
    "customer_code": ("customer_key", ("dim_customer", "customer_key", "customer_code")),
    "customer_name": ("customer_key", ("dim_customer", "customer_key", "customer_name")),
    "customer_city": ("customer_key", ("dim_customer", "customer_key", "city")),
    "supplier_code": ("supplier_key", ("dim_supplier", "supplier_key", "supplier_code")),
    "supplier_name": ("supplier_key", ("dim_supplier", "supplier_key", "supplier_name")),
    "product_code": ("product_key", ("dim_product", "product_key", "product_code")),
    "product_name": ("product_key", ("dim_product", "product_key", "product_name")),
    "product_kind": ("product_key", ("dim_product", "product_key", "product_kind")),
    "product_line_name": ("product_key", ("dim_product", "product_key", "product_line_name")),
    "category_name": ("product_key", ("dim_product", "product_key", "category_name")),
    "base_uom_code": ("product_key", ("dim_product", "product_key", "base_uom_code")),
    "warehouse_code": ("warehouse_key", ("dim_warehouse", "warehouse_key", "warehouse_code")),
    "warehouse_name": ("warehouse_key", ("dim_warehouse", "warehouse_key", "warehouse_name")),
    "employee_no": ("employee_key", ("dim_employee", "employee_key", "employee_no")),
    "employee_name": ("employee_key", ("dim_employee", "employee_key", "employee_name")),
    "account_code": ("account_key", ("dim_account", "account_key", "account_code")),
    "account_name": ("account_key", ("dim_account", "account_key", "account_name")),
    "account_group": ("account_key", ("dim_account", "account_key", "account_group")),
    **{
        name: (name, None)
        for name in (
            "currency_code", "work_name", "approval_kind", "carrier_name", "priority_name", "check_kind", "platform_name",
            "ticket_kind", "move_kind",
        )
    },
}  # fmt: skip
KEYS = {column for column, target in DIMENSIONS.values() if target}
# A stock move seen from the two warehouses it touches; made below, in Python.
LEGS = "legs"


def less(one: Amount | None, other: Amount | None) -> Amount | None:
    """The difference of two columns of a row, unknown where either is."""
    return None if one is None or other is None else one - other


def hours(start: Any, end: Any) -> Decimal | None:
    """Whole minutes between two instants, in hours, rounded half up to two places; unknown where either is."""
    if start is None or end is None:
        return None
    minutes = end.replace(second=0, microsecond=0) - start.replace(second=0, microsecond=0)
    return (Decimal(int(minutes.total_seconds()) // 60) / 60).quantize(Decimal("0.01"), "ROUND_HALF_UP")


def stock_value(row: Row) -> Decimal | None:
    if not row.is_done or row.stock_value_amount_cny is None:
        return None
    signs = {
        "opening": 1, "receipt": 1, "production_output": 1, "return": 1, "inventory_gain": 1,
        "delivery": -1, "production_issue": -1, "inventory_loss": -1, "supplier_return": -1,
    }  # fmt: skip
    sign = signs.get(row.move_kind)
    return None if sign is None else sign * row.stock_value_amount_cny


def delivered_cost(row: Row) -> Decimal | None:
    value = stock_value(row) if row.move_kind in {"delivery", "return"} else None
    return None if value is None else -value


def ledger(which: Callable[[Row], bool], sign: int = 1) -> Callable[[Row], Amount | None]:
    def amount(row: Row) -> Amount | None:
        balance = less(row.debit_amount_cny, row.credit_amount_cny)
        return sign * balance if row.is_posted and which(row) and balance is not None else None

    return amount


def account(*prefixes: str) -> Callable[[Row], bool]:
    return lambda row: (row.account_code or "").startswith(prefixes)


def profit_and_loss(row: Row) -> bool:
    """Class 6 of the Chinese chart, class 8 of the subsidiary's."""
    return account("6")(row) or (account("8")(row) and len(row.account_code) == 6)


def if_(condition: object, amount: Amount | None) -> Amount | None:
    return amount if condition else None


L, S, I = "fct_ledger_entry_line", "fct_sales_order_line", "fct_sales_invoice_line"  # noqa: E741
B, P, R = "fct_supplier_invoice_line", "fct_platform_order_line", "fct_goods_receipt_line"
METRICS: dict[str, Rule] = {
    # sales
    "sales_order_amount_net": Sum(S, "order_date", lambda r: if_(r.is_booked, r.order_amount_net_cny)),
    "sales_order_amount_gross_txn": Sum(S, "order_date", lambda r: if_(r.is_booked, r.order_amount_gross_txn)),
    "sales_order_qty": Sum(S, "order_date", lambda r: if_(r.is_booked, r.order_qty_base)),
    "sales_order_line_count": Sum(S, "order_date", lambda r: if_(r.is_booked, 1)),
    "sales_order_cancelled_amount_net": Sum(S, "order_date", lambda r: if_(r.is_cancelled, r.order_amount_net_cny)),
    "sales_intercompany_order_amount_net": Sum(S, "order_date", lambda r: if_(r.is_booked and r.is_intercompany, r.order_amount_net_cny)),
    "sales_order_count": Sum("fct_sales_order", "order_date", lambda r: if_(r.is_booked, 1)),
    "sales_order_average_amount_net": Quotient("sales_order_amount_net", "sales_order_count"),
    "sales_order_open_qty": Sum("fct_order_to_cash", "order_date", lambda r: r.open_to_ship_qty_base),
    "sales_shipped_amount_net": Sum("fct_delivery_line", "ship_date", lambda r: if_(r.is_shipped, r.shipped_amount_net_cny)),
    "sales_shipped_qty": Sum("fct_delivery_line", "ship_date", lambda r: if_(r.is_shipped, r.ship_qty_base)),
    "sales_returned_amount_net": Sum("fct_delivery_line", "ship_date", lambda r: if_(r.is_shipped and r.delivery_kind == "return", less(0, r.shipped_amount_net_cny))),
    "sales_shipped_cost_amount": Sum("fct_delivery_line", "ship_date", lambda r: if_(r.is_shipped, r.cost_amount_cny)),
    "sales_shipped_margin_amount": Difference("sales_shipped_amount_net", "sales_shipped_cost_amount"),
    "sales_shipped_margin_ratio": Share("sales_shipped_amount_net", "sales_shipped_cost_amount"),
    "opportunity_amount": Sum("fct_opportunity", "opened_date", lambda r: r.opportunity_amount_cny),
    "opportunity_count": Sum("fct_opportunity", "opened_date", lambda r: 1),
    "opportunity_converted_count": Sum("fct_opportunity", "opened_date", lambda r: int(bool(r.is_converted))),
    "opportunity_conversion_ratio": Quotient("opportunity_converted_count", "opportunity_count"),
    # e-commerce
    "platform_order_amount_gross": Sum(P, "order_date", lambda r: if_(not r.is_cancelled, r.order_amount_gross_cny)),
    "platform_order_amount_net": Sum(P, "order_date", lambda r: if_(not r.is_cancelled, r.order_amount_net_cny)),
    "platform_paid_amount_gross": Sum(P, "paid_date", lambda r: if_(r.is_paid and not r.is_cancelled, r.order_amount_gross_cny)),
    "platform_shipped_amount_gross": Sum(P, "ship_date", lambda r: if_(r.is_shipped, r.order_amount_gross_cny)),
    "platform_freight_amount_gross_txn": Sum(P, "ship_date", lambda r: if_(r.is_shipped, r.freight_amount_gross_txn)),
    "platform_order_count": Sum("fct_platform_order", "order_date", lambda r: if_(not r.is_cancelled, 1)),
    # 聚水潭 sells with tax, Shopify without
    "platform_gross_order_count": Sum("fct_platform_order", "order_date", lambda r: if_(not r.is_cancelled and r.source_system == "hc_shop", 1)),
    "platform_order_average_amount_gross": Quotient("platform_order_amount_gross", "platform_gross_order_count"),
    "platform_refund_amount_gross": Sum("fct_platform_refund_line", "refund_date", lambda r: if_(r.status_code == "confirmed", r.refund_amount_gross_cny)),
    "platform_refund_ratio": Quotient("platform_refund_amount_gross", "platform_shipped_amount_gross"),
    "platform_fee_amount_txn": Sum("fct_platform_settlement", "payment_date", lambda r: r.fee_amount_txn),
    "platform_settled_amount": Sum("fct_platform_settlement", "payment_date", lambda r: r.payment_amount_cny),
    # purchasing
    "purchase_order_amount_net": Sum("fct_purchase_order_line", "order_date", lambda r: if_(r.is_ordered, r.order_amount_net_cny)),
    "purchase_request_line_count": Sum("fct_purchase_request_line", "request_date", lambda r: 1),
    "purchase_order_open_qty": Sum("fct_purchase_to_pay", "order_date", lambda r: if_(r.is_goods, r.open_to_receive_qty_base)),
    "goods_received_amount_net": Sum(R, "receipt_date", lambda r: if_(r.is_received, r.received_amount_net_cny)),
    "goods_received_qty": Sum(R, "receipt_date", lambda r: if_(r.is_received, r.receipt_qty_base)),
    "goods_received_to_date_amount_net": Running(R, "receipt_date", lambda r: if_(r.is_received, r.received_amount_net_cny)),
    "supplier_invoice_amount_net": Sum(B, "invoice_date", lambda r: if_(r.is_posted, r.invoice_amount_net_cny)),
    "supplier_invoice_amount_gross": Sum(B, "invoice_date", lambda r: if_(r.is_posted, r.invoice_amount_gross_cny)),
    "supplier_invoice_tax_amount": Sum(B, "invoice_date", lambda r: if_(r.is_posted, r.invoice_amount_tax_cny)),
    "supplier_goods_invoiced_to_date_amount_net": Running(B, "invoice_date", lambda r: if_(r.is_posted and r.is_goods, r.invoice_amount_net_cny)),
    "goods_received_not_invoiced_amount_net": Difference("goods_received_to_date_amount_net", "supplier_goods_invoiced_to_date_amount_net"),
    # stock
    "stock_on_hand_qty": Last("fct_stock_balance_day", "balance_date", lambda r: r.closing_qty),
    "stock_in_qty": Sum(LEGS, "move_date", lambda r: if_(r.qty is not None and r.qty > 0, r.qty)),
    "stock_out_qty": Sum(LEGS, "move_date", lambda r: if_(r.qty is not None and r.qty < 0, less(0, r.qty))),
    "stock_value_balance": Running("fct_stock_move", "move_date", stock_value),
    "stock_delivered_cost_amount": Sum("fct_stock_move", "move_date", delivered_cost),
    "stock_turnover_ratio": Quotient("stock_delivered_cost_amount", "stock_value_balance"),
    "stock_count_difference_qty": Sum("fct_stock_count_line", "count_date", lambda r: if_(r.is_done, less(r.counted_qty, r.expected_qty))),
    "stock_count_line_count": Sum("fct_stock_count_line", "count_date", lambda r: if_(r.is_done, 1)),
    "stock_count_exact_line_count": Sum("fct_stock_count_line", "count_date", lambda r: if_(r.is_done and less(r.counted_qty, r.expected_qty) == 0, 1)),
    "stock_count_accuracy_ratio": Quotient("stock_count_exact_line_count", "stock_count_line_count"),
    # production
    "produced_qty": Sum("fct_work_order", "effective_date", lambda r: if_(r.is_done, r.produced_qty)),
    "scrapped_qty": Sum("fct_work_order", "effective_date", lambda r: if_(r.is_done, r.scrapped_qty)),
    "finished_planned_qty": Sum("fct_work_order", "effective_date", lambda r: if_(r.is_done, r.planned_qty)),
    "scrap_ratio": Quotient("scrapped_qty", "finished_planned_qty"),
    "finished_work_order_count": Sum("fct_work_order", "effective_date", lambda r: if_(r.is_done, 1)),
    "finished_on_time_work_order_count": Sum("fct_work_order", "effective_date", lambda r: if_(r.is_done and r.effective_date and r.planned_date and r.effective_date <= r.planned_date, 1)),
    "work_order_on_time_ratio": Quotient("finished_on_time_work_order_count", "finished_work_order_count"),
    "work_order_open_count": Sum("fct_work_order", "planned_date", lambda r: if_(not r.is_done, 1)),
    "material_issued_cost_amount": Sum("fct_material_issue", "effective_date", lambda r: if_(r.is_done, r.issue_cost_amount_cny)),
    "production_output_cost_amount": Sum("fct_production_output", "effective_date", lambda r: if_(r.is_done, r.output_cost_amount_cny)),
    "quality_check_count": Sum("fct_quality_check", "check_date", lambda r: 1),
    "quality_passed_check_count": Sum("fct_quality_check", "check_date", lambda r: if_(r.is_passed, 1)),
    "quality_pass_ratio": Quotient("quality_passed_check_count", "quality_check_count"),
    # logistics
    "shipment_count": Sum("fct_shipment", "ship_date", lambda r: 1),
    "shipment_freight_amount_gross": Sum("fct_shipment", "ship_date", lambda r: r.freight_amount_gross_cny),
    "shipment_signed_count": Sum("fct_shipment", "signed_date", lambda r: if_(r.signed_at, 1)),
    "shipment_transit_hours": Sum("fct_shipment", "signed_date", lambda r: hours(r.shipped_at, r.signed_at)),
    "shipment_average_transit_hours": Quotient("shipment_transit_hours", "shipment_signed_count"),
    # finance
    "revenue_amount_net": Sum(L, "entry_date", lambda r: if_(r.is_posted and r.is_revenue, 0 if r.is_closing else less(r.credit_amount_cny, r.debit_amount_cny))),
    "ledger_debit_amount": Sum(L, "entry_date", lambda r: if_(r.is_posted, r.debit_amount_cny)),
    "ledger_credit_amount": Sum(L, "entry_date", lambda r: if_(r.is_posted, r.credit_amount_cny)),
    "ledger_expense_amount": Sum(L, "entry_date", ledger(lambda r: profit_and_loss(r) and not r.is_revenue and not r.is_closing)),
    "ledger_profit_amount": Difference("revenue_amount_net", "ledger_expense_amount"),
    "wages_accrued_amount": Sum(L, "entry_date", lambda r: if_(r.is_posted and account("2211")(r), r.credit_amount_cny)),
    "purchase_price_variance_amount": Sum(L, "entry_date", ledger(account("1404"))),
    "receivable_balance": Running(L, "entry_date", ledger(lambda r: r.is_receivable)),
    "payable_balance": Running(L, "entry_date", ledger(account("2202"), -1)),
    "vat_balance": Running(L, "entry_date", ledger(account("2221"))),
    "bank_balance": Running(L, "entry_date", ledger(account("1002"))),
    "cash_balance": Running(L, "entry_date", ledger(lambda r: r.is_cash)),
    "stock_ledger_balance": Running(L, "entry_date", ledger(lambda r: r.is_stock_balance)),
    "sales_invoice_amount_net": Sum(I, "invoice_date", lambda r: if_(r.is_posted, r.invoice_amount_net_cny)),
    "sales_invoice_amount_gross": Sum(I, "invoice_date", lambda r: if_(r.is_posted, r.invoice_amount_gross_cny)),
    "sales_invoice_tax_amount": Sum(I, "invoice_date", lambda r: if_(r.is_posted, r.invoice_amount_tax_cny)),
    "sales_invoice_intercompany_amount_net": Sum(I, "invoice_date", lambda r: if_(r.is_posted and r.is_intercompany, r.invoice_amount_net_cny)),
    "sales_invoice_draft_amount_net_txn": Sum(I, "invoice_date", lambda r: if_(r.is_draft, r.invoice_amount_net_txn)),
    "customer_receipt_amount": Sum("fct_payment", "payment_date", lambda r: if_(r.is_posted and r.payment_kind == "customer_receipt", r.bank_amount_cny)),
    "supplier_payment_amount": Sum("fct_payment", "payment_date", lambda r: if_(r.is_posted and r.payment_kind == "supplier_payment", less(0, r.bank_amount_cny))),
    # people
    "worked_hours": Sum("fct_timesheet_line", "work_date", lambda r: r.worked_hours),
    "attendance_day_count": Sum("fct_attendance_day", "work_date", lambda r: 1),
    "employee_headcount": Last("fct_headcount_month", "month_end_date", lambda r: 1),
    # approvals
    "approval_started_count": Sum("fct_approval", "start_date", lambda r: 1),
    "approval_decided_count": Sum("fct_approval", "decision_date", lambda r: if_(r.decided_at, 1)),
    "approval_rejected_count": Sum("fct_approval", "decision_date", lambda r: if_(r.decided_at and r.is_rejected, 1)),
    "approval_rejection_ratio": Quotient("approval_rejected_count", "approval_decided_count"),
    "approval_open_count": Sum("fct_approval", "start_date", lambda r: if_(not r.decided_at, 1)),
    "approval_cycle_hours": Sum("fct_approval", "decision_date", lambda r: hours(r.started_at, r.decided_at)),
    "approval_average_cycle_hours": Quotient("approval_cycle_hours", "approval_decided_count"),
    # service
    "ticket_opened_count": Sum("fct_service_ticket", "open_date", lambda r: 1),
    "ticket_resolved_count": Sum("fct_service_ticket", "resolve_date", lambda r: if_(r.resolve_date, 1)),
    "ticket_opened_to_date_count": Running("fct_service_ticket", "open_date", lambda r: 1),
    "ticket_resolved_to_date_count": Running("fct_service_ticket", "resolve_date", lambda r: if_(r.resolve_date, 1)),
    "ticket_backlog_count": Difference("ticket_opened_to_date_count", "ticket_resolved_to_date_count"),
    "ticket_resolution_hours": Sum("fct_service_ticket", "resolve_date", lambda r: if_(r.resolve_date, r.open_hours)),
    "ticket_average_resolution_hours": Quotient("ticket_resolution_hours", "ticket_resolved_count"),
}  # fmt: skip


# --- the rows ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Marts:
    """Rows of every fact, members of every dimension, and the days of the calendar."""

    rows: dict[str, list[Row]]
    members: dict[str, dict[str, str | None]]
    days: list[date]


def fetch(con: duckdb.DuckDBPyConnection) -> Marts:
    """One plain select per table, nothing added up."""
    rows: dict[str, list[Row]] = {}
    for fact, columns in FACTS.items():
        there = {name for (name,) in con.execute(
            "select column_name from information_schema.columns where table_schema = 'marts' and table_name = ?", [fact]
        ).fetchall()}  # fmt: skip
        names = [*columns.split(), *sorted((KEYS & there) - set(columns.split()))]
        made = NamedTuple(fact, [(name, Any) for name in names])
        rows[fact] = [
            made(*row) for row in con.execute(f"select {', '.join(names)} from marts.{fact}").fetchall()
        ]
    members = {
        name: dict(con.execute(f"select {key}, {code} from marts.{table}").fetchall())
        for name, (_, target) in DIMENSIONS.items()
        if target
        for table, key, code in [target]
    }
    days = [day for (day,) in con.execute("select date_day from marts.dim_date order by 1").fetchall()]
    rows[LEGS] = list(legs(rows["fct_stock_move"], members["warehouse_code"]))
    return Marts(rows, members, days)


class Leg(NamedTuple):
    move_date: date | None
    qty: Decimal | None
    warehouse_key: str
    product_key: str
    company_key: str


def legs(moves: Iterable[Row], warehouses: dict[str, str | None]) -> Iterator[Leg]:
    """Each done move once for the warehouse it leaves and once for the one it enters; a supplier is no warehouse."""
    for move in moves:
        for warehouse, sign in ((move.from_warehouse_key, -1), (move.to_warehouse_key, 1)):
            if move.is_done and warehouses.get(warehouse, "not_applicable") != "not_applicable":
                qty = None if move.stated_qty_base is None else sign * move.stated_qty_base
                yield Leg(move.move_date, qty, warehouse, move.product_key, move.company_key)


# --- the computation --------------------------------------------------------------------------------


def start_of(day: date, grain: str) -> date:
    match grain:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
        case "year":
            return date(day.year, 1, 1)
        case _:
            return day


@dataclass
class Evaluator:
    """Answers from rows; keeps the amounts of a metric by day and members once they were computed."""

    marts: Marts
    rules: dict[str, Rule]
    dimensions: Mapping[str, tuple[str, tuple[str, str, str] | None]] = field(
        default_factory=lambda: DIMENSIONS
    )
    by_day: dict[tuple[str, tuple[str, ...]], dict[Members, dict[date | None, Amount]]] = field(
        default_factory=dict
    )

    def cells(self, name: str, grain: str | None, by: tuple[str, ...], horizon: date | None = None) -> Cells:
        """Every value of a metric, by start of the period (None: all time) and members of `by`."""
        rule = self.rules[name]
        if isinstance(rule, Sum):
            return dict(self._added(rule, self._daily(name, by), grain, horizon))
        first, second = (rule.top, rule.bottom) if isinstance(rule, Quotient) else (rule.first, rule.second)
        # A balance goes on as long as any balance beside it does.
        until = horizon or self._horizon(name)
        left, right = self.cells(first, grain, by, until), self.cells(second, grain, by, until)
        return {
            key: value
            for key in left.keys() | right.keys()
            if (value := _joined(rule, left.get(key), right.get(key))) is not None
        }

    def _daily(self, name: str, by: tuple[str, ...]) -> dict[Members, dict[date | None, Amount]]:
        if (name, by) not in self.by_day:
            rule = self.rules[name]
            assert isinstance(rule, Sum)
            readers = [self.dimensions[dimension] for dimension in by]
            found: dict[Members, dict[date | None, Amount]] = defaultdict(lambda: defaultdict(int))
            for row in self.marts.rows[rule.fact]:
                amount = rule.amount(row)
                if amount is None:
                    continue
                members = tuple(
                    self.marts.members[dimension].get(getattr(row, column)) if target else getattr(row, column)
                    for dimension, (column, target) in zip(by, readers, strict=True)
                )  # fmt: skip
                found[members][getattr(row, rule.day)] += amount
            self.by_day[name, by] = found
        return self.by_day[name, by]

    def _added(
        self,
        rule: Sum,
        daily: dict[Members, dict[date | None, Amount]],
        grain: str | None,
        horizon: date | None,
    ) -> Iterator[tuple[tuple[date | None, Members], Amount]]:
        if isinstance(rule, Last):
            yield from self._last(rule, daily, grain)
        elif isinstance(rule, Running) and grain:
            yield from self._running(rule, daily, grain, horizon)
        else:
            for members, amounts in daily.items():
                added: dict[date | None, Amount] = defaultdict(int)
                for day, amount in amounts.items():
                    added[start_of(day, grain) if grain and day else None] += amount
                for start, amount in added.items():
                    yield (start, members), amount

    def _last(
        self, rule: Last, daily: dict[Members, dict[date | None, Amount]], grain: str | None
    ) -> Iterator[tuple[tuple[date | None, Members], Amount]]:
        last: dict[date | None, date] = {}
        for row in self.marts.rows[rule.fact]:
            if (day := getattr(row, rule.day)) is None:
                continue
            start = start_of(day, grain) if grain else None
            last[start] = max(day, last.get(start, day))
        for members, amounts in daily.items():
            for start, day in last.items():
                if day in amounts:
                    yield (start, members), amounts[day]

    def _running(
        self,
        rule: Running,
        daily: dict[Members, dict[date | None, Amount]],
        grain: str,
        horizon: date | None,
    ) -> Iterator[tuple[tuple[date | None, Members], Amount]]:
        until = horizon or self.last_day(rule)
        if until is None:
            return
        ends: dict[date, date] = {}
        for day in self.marts.days:
            ends[start_of(day, grain)] = day
        for members, amounts in daily.items():
            dated = sorted((day, amount) for day, amount in amounts.items() if day)
            total, done = 0, 0
            for start, end in ends.items():
                if start > until:
                    break
                while done < len(dated) and dated[done][0] <= end:
                    total += dated[done][1]
                    done += 1
                if done:
                    yield (start, members), total

    def last_day(self, rule: Sum) -> date | None:
        return max(
            (day for row in self.marts.rows[rule.fact] if (day := getattr(row, rule.day))), default=None
        )

    def _horizon(self, name: str) -> date | None:
        bases = list(self.bases(name))
        if not any(isinstance(rule, Running) for rule in bases):
            return None
        return max((day for rule in bases if (day := self.last_day(rule))), default=None)

    def bases(self, name: str) -> Iterator[Sum]:
        rule = self.rules[name]
        if isinstance(rule, Sum):
            yield rule
            return
        names = (rule.top, rule.bottom) if isinstance(rule, Quotient) else (rule.first, rule.second)
        for item in names:
            yield from self.bases(item)


def _joined(rule: Rule, left: Value | None, right: Value | None) -> Value | None:
    match rule:
        case Difference():
            return Decimal(left or 0) - Decimal(right or 0)
        case Share():
            return (float(left) - float(right or 0)) / float(left) if left else None
        case _:
            return float(left) / float(right) if left is not None and right else None
