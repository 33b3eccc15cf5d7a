"""Typed measures: every kind of mixing is refused with its fix, and what is inferred is what numbers do when scaled."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.metrics.definitions import Definitions, parse, read_yaml
from tieout.metrics.errors import DefinitionError
from tieout.metrics.marts import Column, Marts, marts_in, read_marts
from tieout.metrics.rules import require, violations
from tieout.metrics.types import Basis, Typed, Untypable, column_basis, infer, type_violations
from tieout.settings import PROJECT

MODELS = PROJECT / "dbt_project" / "models"


@pytest.fixture(scope="module")
def text() -> str:
    return read_yaml(MODELS / "metrics").text


@pytest.fixture(scope="module")
def marts() -> Marts:
    return read_marts(MODELS)


def test_our_own_metrics_are_what_they_say(text, marts):
    assert violations(parse(text), marts) == []


def test_dbts_manifest_says_of_a_column_what_the_yaml_says():
    meta = {"class": "L2", "unit": "CNY", "currency": "CNY", "tax": "excluded"}
    node = {
        "resource_type": "model",
        "name": "fct_order",
        "columns": {"net": {"name": "net", "config": {"meta": meta}}},
    }

    assert marts_in({"nodes": {"model.fct_order": node}}) == {
        "fct_order": {"net": Column("net", "CNY", "CNY", "excluded", sensitivity="L2")}
    }


def test_the_check_without_dbt_refuses_what_the_build_refuses(text, marts):
    document = json.loads(text)
    measure(document, "booked_order_amount_net_cny")["expr"] = "order_amount_gross_txn"

    with pytest.raises(DefinitionError, match="sales_order_amount_net"):
        require(parse(json.dumps(document)), marts)


# --- each kind of mixing, once ----------------------------------------------------------------------


def metric(document: dict, name: str) -> dict:
    return next(item for item in document["metrics"] if item["name"] == name)


def meta(document: dict, name: str) -> dict:
    return metric(document, name)["config"]["meta"]


def measure(document: dict, name: str) -> dict:
    return next(
        item for model in document["semantic_models"] for item in model["measures"] if item["name"] == name
    )


def formula(document: dict, expr: str, *inputs: str, **said: object) -> None:
    """Turn goods_received_not_invoiced_amount_net into another formula."""
    name = "goods_received_not_invoiced_amount_net"
    metric(document, name)["type_params"] = {
        "expr": expr,
        "metrics": [{"name": item, "alias": alias} for item, alias in zip(inputs, "abc", strict=False)],
    }
    meta(document, name).update(by=[], **said)


DERIVED = "goods_received_not_invoiced_amount_net"
MIXED: dict[str, tuple[str, str, Callable[[dict], object]]] = {
    "net plus gross": (
        "sales_invoice_amount_net",
        "use invoice_amount_net_cny instead of invoice_amount_gross_cny",
        lambda d: measure(d, "posted_sales_invoice_amount_net_cny").update(
            expr="case when is_posted then invoice_amount_net_cny else invoice_amount_gross_cny end"
        ),
    ),
    "gross where net is said": (
        "sales_invoice_amount_net",
        "use invoice_amount_net_cny instead of invoice_amount_gross_cny, or say `unit: CNY`, `currency: CNY`, `tax: included`",
        lambda d: measure(d, "posted_sales_invoice_amount_net_cny").update(
            expr="case when is_posted then invoice_amount_gross_cny end"
        ),
    ),
    "the documents' currency where CNY is said": (
        "sales_order_amount_net",
        "use order_amount_net_cny instead of order_amount_net_txn",
        lambda d: measure(d, "booked_order_amount_net_cny").update(expr="order_amount_net_txn"),
    ),
    "CNY plus the documents' currency": (
        "sales_order_amount_net",
        "use order_amount_net_cny instead of order_amount_net_txn",
        lambda d: measure(d, "booked_order_amount_net_cny").update(
            expr="coalesce(order_amount_net_cny, order_amount_net_txn)"
        ),
    ),
    "pieces where kilograms count": (
        "produced_qty",
        "say `unit: base_uom_code`",
        lambda d: meta(d, "produced_qty").update(unit="kg", requires_by=[], by=[]),
    ),
    "a document's unit where the base unit is said": (
        "goods_received_amount_net",
        "it says currency CNY, tax excluded, but is `receipt_qty (quantity in uom_code)`",
        lambda d: measure(d, "received_line_amount_net_cny").update(expr="receipt_qty"),
    ),
    "a quantity plus an amount": (
        "goods_received_amount_net",
        "receipt_qty_base (quantity in base_uom_code) added to received_amount_net_cny (CNY, tax excluded)",
        lambda d: measure(d, "received_line_amount_net_cny").update(
            expr="receipt_qty_base + received_amount_net_cny"
        ),
    ),
    "the tax of it added in the expression": (
        "sales_order_amount_net",
        "a tax rate would change the tax basis unseen",
        lambda d: measure(d, "booked_order_amount_net_cny").update(
            expr="order_amount_net_cny * (1 + tax_rate)"
        ),
    ),
    "prices added up": (
        "sales_invoice_draft_amount_net_txn",
        "prices do not add up",
        lambda d: measure(d, "draft_sales_invoice_amount_net_txn").update(expr="unit_price_txn"),
    ),
    "a price times a quantity in another unit": (
        "sales_order_amount_net",
        "multiply a price by the quantity it is the price of",
        lambda d: measure(d, "booked_order_amount_net_cny").update(expr="unit_price_txn * order_qty_base"),
    ),
    "chances added up": (
        "opportunity_count",
        "a ratio does not add up",
        lambda d: measure(d, "opened_opportunity_count").update(expr="conversion_probability"),
    ),
    "a count called money": (
        "opportunity_amount",
        "which is no money",
        lambda d: measure(d, "opened_opportunity_amount_cny").update(expr="1"),
    ),
    "rows called hours": (
        "worked_hours",
        "say what is counted",
        lambda d: measure(d, "reported_worked_hours").update(expr="case when worked_hours > 0 then 1 end"),
    ),
    "net compared with gross": (
        "sales_invoice_amount_net",
        "invoice_amount_gross_cny (CNY, tax included) compared with invoice_amount_net_cny (CNY, tax excluded)",
        lambda d: measure(d, "posted_sales_invoice_amount_net_cny").update(
            expr="case when invoice_amount_gross_cny > invoice_amount_net_cny then invoice_amount_net_cny end"
        ),
    ),
    "a column nobody described": (
        "sales_order_amount_net",
        "fct_sales_order_line.line_id does not say what it is",
        lambda d: measure(d, "booked_order_amount_net_cny").update(expr="line_id"),
    ),
    "a column that does not exist": (
        "sales_order_amount_net",
        "has no documented column 'order_amount'",
        lambda d: measure(d, "booked_order_amount_net_cny").update(expr="order_amount"),
    ),
    "a function whose result is not known": (
        "worked_hours",
        "compute it in a mart column",
        lambda d: measure(d, "reported_worked_hours").update(expr="ln(worked_hours)"),
    ),
    "ledger rows whose tax nothing decides": (
        "receivable_balance",
        "put the condition that decides the tax into the measure",
        lambda d: measure(d, "receivable_movement_cny").update(expr="balance_amount_cny"),
    ),
    "another date than it says": (
        "sales_shipped_amount_net",
        "aggregate over ship_date instead, or say `time_role: planned`",
        lambda d: (
            measure(d, "shipped_line_amount_net_cny").update(agg_time_dimension="planned_ship_date"),
            next(m for m in d["semantic_models"] if m["name"] == "delivery_lines")["dimensions"].append(
                {"name": "planned_ship_date", "type": "time", "type_params": {"time_granularity": "day"}}
            ),
        ),
    ),
    "a date nobody described": (
        "sales_order_amount_net",
        "write `time_role` under its config.meta",
        lambda d: next(m for m in d["semantic_models"] if m["name"] == "sales_order_lines")["dimensions"][
            0
        ].update(expr="order_no"),
    ),
    "the first day of a snapshot": (
        "stock_on_hand_qty",
        "the last day of the period, not the first",
        lambda d: measure(d, "closing_stock_qty")["non_additive_dimension"].update(window_choice="min"),
    ),
    "months of different dates added": (
        DERIVED,
        "use their balances to date, or say in `mixed`",
        lambda d: formula(
            d, "coalesce(a, 0) - coalesce(b, 0)", "sales_order_amount_net", "sales_shipped_amount_net",
            time_role=["ordered", "shipped"], additivity="additive",
        ),
    ),
    "net divided by gross": (
        DERIVED,
        "Divide like by like, or say in `mixed` why",
        lambda d: formula(
            d, "a / nullif(b, 0)", "sales_invoice_amount_net", "customer_receipt_amount",
            time_role=["invoiced", "paid"], additivity="non_additive", unit="ratio", currency="none", tax="none",
        ),
    ),
    "a balance with tax less one without": (
        DERIVED,
        "Use inputs of one currency, tax basis and unit",
        lambda d: formula(
            d, "coalesce(a, 0) - coalesce(b, 0)", "receivable_balance", "stock_ledger_balance", time_role="posted"
        ),
    ),
    "hours less orders": (
        DERIVED,
        "opportunity_count (count in opportunity) less worked_hours (duration in hour)",
        lambda d: formula(
            d, "coalesce(a, 0) - coalesce(b, 0)", "opportunity_count", "worked_hours",
            time_role=["opened", "worked"], additivity="additive", unit="hour", currency="none", tax="none",
        ),
    ),
    "money that is a ratio": (
        DERIVED,
        "which is no money",
        lambda d: formula(
            d, "a / nullif(b, 0)", "sales_shipped_amount_net", "sales_order_amount_net",
            time_role=["ordered", "shipped"], additivity="non_additive",
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MIXED)
def test_what_must_not_be_mixed_is_refused_with_its_fix(text, marts, case):
    name, fix, mix = MIXED[case]
    document = json.loads(text)
    mix(document)

    said = [str(item) for item in violations(parse(json.dumps(document)), marts)]

    assert any(line.startswith(f"{name}: ") and fix in line for line in said), said


def test_a_unit_is_not_fixed_by_a_dimension_of_something_else(text, marts):
    document = json.loads(text)
    meta(document, "produced_qty")["requires_by"] = ["company_code", "base_uom_code"]

    said = [str(item) for item in violations(parse(json.dumps(document)), marts)]

    assert any("requires_by 'company_code' does not fix the unit" in line for line in said), said


LAWFUL: dict[str, Callable[[dict], object]] = {
    "a written reason": lambda d: formula(
        d, "a / nullif(b, 0)", "sales_invoice_amount_net", "customer_receipt_amount",
        time_role=["invoiced", "paid"], additivity="non_additive", unit="ratio", currency="none", tax="none",
        mixed="收款按含税价，只看趋势 / Receipts include tax; only the trend is read.",
    ),
    "an average": lambda d: formula(
        d, "a / nullif(b, 0)", "opportunity_amount", "opportunity_count",
        time_role="opened", additivity="non_additive", tax="none",
    ),
    "gross is net plus its own tax": lambda d: (
        measure(d, "posted_sales_invoice_amount_net_cny").update(
            expr="invoice_amount_net_cny + invoice_amount_tax_cny"
        ),
        meta(d, "sales_invoice_amount_net").update(tax="included"),
    ),
    "price times the quantity it is the price of": lambda d: measure(
        d, "draft_sales_invoice_amount_net_txn"
    ).update(expr="case when is_draft then unit_price_txn * invoice_qty end"),
}  # fmt: skip


@pytest.mark.parametrize("case", LAWFUL)
def test_what_is_lawful_passes(text, marts, case):
    document = json.loads(text)
    LAWFUL[case](document)

    assert [str(item) for item in violations(parse(json.dumps(document)), marts)] == []


def test_the_tax_of_another_amount_makes_no_gross(marts):
    columns = {
        "order_net": Column("order_net", "CNY", "CNY", "excluded"),
        "freight_tax": Column("freight_tax", "CNY", "CNY", "only"),
    }

    with pytest.raises(Untypable, match="added to"):
        infer("order_net + freight_tax", lambda name: Typed(column_basis(columns[name], "m"), (name,)))


def test_a_change_of_a_real_metric_is_caught_by_types_or_by_its_version(text, marts):
    """Every measure of the project, changed in every way people change them by mistake."""
    before = parse(text)
    document = json.loads(text)
    ways: dict[str, Callable[[str], str]] = {
        "gross for net": lambda expr: expr.replace("_net_", "_gross_"),
        "document for CNY": lambda expr: expr.replace("_cny", "_txn"),
        "no filter": lambda expr: expr.split(" then ")[1].split(" e")[0] if " then " in expr else expr,
        "turned sign": lambda expr: f"-({expr})",
    }
    tried = typed = 0
    for model in document["semantic_models"]:
        for item in model["measures"]:
            for change in ways.values():
                expr = change(str(item["expr"]))
                if expr == str(item["expr"]):
                    continue
                tried += 1
                mutant = json.loads(text)
                measure(mutant, item["name"])["expr"] = expr
                after = parse(json.dumps(mutant))
                users = [name for name, one in before.metrics.items() if item["name"] in one.measures]
                # only the rules of types: all rules for every slip would take a minute
                refused = {name for name in users if list(type_violations(after, marts, after.metric(name)))}
                typed += bool(refused)
                for name in users:
                    assert name in refused or after.version(name) != before.version(name), (name, expr)
    assert tried > 60 and typed > 15  # a swapped tax basis or currency is refused, not only seen


# --- an independent opinion: scale what a column measures, and see what the result does -----------------

COLUMNS: dict[str, Column] = {
    "net_a": Column("net_a", "CNY", "CNY", "excluded"),
    "net_b": Column("net_b", "CNY", "CNY", "excluded"),
    "gross_a": Column("gross_a", "CNY", "CNY", "included"),
    "net_txn": Column("net_txn", "currency_code", "document", "excluded"),
    "qty_a": Column("qty_a", "base_uom_code"),
    "qty_b": Column("qty_b", "base_uom_code"),
    "qty_doc": Column("qty_doc", "uom_code"),
    "hours": Column("hours", "hour"),
    "price": Column("price", "CNY", "CNY", "excluded", per="base_uom_code"),
}
# How many of each thing a column is made of; a price is money over quantity.
DIMENSIONS: dict[str, dict[str, int]] = {
    "net_a": {"net": 1}, "net_b": {"net": 1}, "gross_a": {"gross": 1}, "net_txn": {"txn": 1}, "qty_a": {"base": 1},
    "qty_b": {"base": 1}, "qty_doc": {"doc": 1}, "hours": {"hour": 1}, "price": {"net": 1, "base": -1},
}  # fmt: skip
SCALES = {
    "net": Fraction(7), "gross": Fraction(11), "txn": Fraction(13), "base": Fraction(17), "doc": Fraction(19), "hour": Fraction(23),
}  # fmt: skip
ROWS = [
    {**{name: Fraction(value) for name, value in zip(COLUMNS, row, strict=True)}, "is_one": Fraction(one)}
    for one, row in enumerate(((3, 5, 8, 2, 4, 9, 31, 6, 12), (37, 41, 43, 47, 53, 59, 61, 67, 71)))
]


@dataclass(frozen=True)
class Expr:
    """An expression as SQL, and its value on a row."""

    sql: str
    value: Callable[[dict[str, Fraction]], Fraction]


def _leaf(name: str) -> Expr:
    return Expr(name, lambda row: row[name])


def _pair(one: Expr, other: Expr, how: str) -> Expr:
    match how:
        case "+":
            return Expr(f"({one.sql} + {other.sql})", lambda row: one.value(row) + other.value(row))
        case "-":
            return Expr(f"({one.sql} - {other.sql})", lambda row: one.value(row) - other.value(row))
        case "*":
            return Expr(f"({one.sql} * {other.sql})", lambda row: one.value(row) * other.value(row))
        case "/":
            return Expr(
                f"({one.sql} / nullif({other.sql}, 0))",
                lambda row: one.value(row) / other.value(row),
            )
        case "case":
            return Expr(
                f"case when is_one then {one.sql} else {other.sql} end",
                lambda row: one.value(row) if row["is_one"] else other.value(row),
            )
        case _:
            return Expr(
                f"greatest({one.sql}, {other.sql})", lambda row: max(one.value(row), other.value(row))
            )


EXPRESSIONS = st.recursive(
    st.sampled_from(sorted(COLUMNS)).map(_leaf),
    lambda inner: st.one_of(
        st.builds(_pair, inner, inner, st.sampled_from(["+", "-", "*", "/", "case", "greatest"])),
        inner.map(lambda one: Expr(f"-({one.sql})", lambda row: -one.value(row))),
        inner.map(lambda one: Expr(f"coalesce({one.sql}, 0)", one.value)),
        st.builds(
            lambda one, by: Expr(f"({one.sql} * {by})", lambda row: one.value(row) * by), inner, st.integers(2, 9)
        ),
    ),
    max_leaves=5,
)  # fmt: skip
WHAT_IT_SCALES_BY = {
    Basis("money", "CNY", "CNY", "excluded"): {"net": 1},
    Basis("money", "CNY", "CNY", "included"): {"gross": 1},
    Basis("money", "currency_code", "document", "excluded"): {"txn": 1},
    Basis("quantity", "base_uom_code"): {"base": 1},
    Basis("quantity", "uom_code"): {"doc": 1},
    Basis("ratio"): {},
    Basis("price", "CNY", "CNY", "excluded", "base_uom_code"): {"net": 1, "base": -1},
    Basis("price", "CNY", "CNY", "excluded", "uom_code"): {"net": 1, "doc": -1},
    Basis("price", "CNY", "CNY", "included", "base_uom_code"): {"gross": 1, "base": -1},
    Basis("price", "CNY", "CNY", "included", "uom_code"): {"gross": 1, "doc": -1},
    Basis("price", "currency_code", "document", "excluded", "base_uom_code"): {"txn": 1, "base": -1},
    Basis("price", "currency_code", "document", "excluded", "uom_code"): {"txn": 1, "doc": -1},
}


def _known(name: str) -> Typed:
    if name == "is_one":
        raise Untypable("a flag")
    return Typed(column_basis(COLUMNS[name], "fct"), (name,))


def _scaled(row: dict[str, Fraction], thing: str) -> dict[str, Fraction]:
    return {
        name: value * SCALES[thing] ** DIMENSIONS.get(name, {}).get(thing, 0) for name, value in row.items()
    }


@given(EXPRESSIONS)
@settings(max_examples=300, deadline=None)
def test_a_type_is_what_the_number_does_when_its_columns_are_scaled(expr):
    try:
        things = WHAT_IT_SCALES_BY.get(infer(expr.sql, _known).basis)
    except Untypable:
        return
    if things is None or "hours" in expr.sql:  # so much in so many hours keeps its own unit, by rule
        return
    for row in ROWS:
        for thing, scale in SCALES.items():
            try:
                before, after = expr.value(row), expr.value(_scaled(row, thing))
            except ZeroDivisionError:  # null in SQL
                continue
            assert after == before * scale ** things.get(thing, 0), expr.sql


@given(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=2, max_size=4), st.data())
@settings(max_examples=200, deadline=None)
def test_a_sum_is_refused_exactly_when_scaling_shows_two_kinds_of_things(names, data):
    """Sums, cases and maxima of columns: accepted if and only if one scaling explains the whole."""
    signs = [data.draw(st.sampled_from(["+", "-"])) for _ in names[1:]]
    expr = _leaf(names[0])
    for name, sign in zip(names[1:], signs, strict=True):
        expr = _pair(expr, _leaf(name), sign)

    def scales_alike(thing: str) -> bool:
        powers = {DIMENSIONS[name].get(thing, 0) for name in names}
        return len(powers) == 1

    alike = all(scales_alike(thing) for thing in SCALES)
    try:
        infer(expr.sql, _known)
        accepted = True
    except Untypable as error:
        accepted = False
        assert len(error.sides) == 2
    assert accepted == alike, expr.sql


def test_definitions_without_marts_are_not_judged_by_type(text):
    document = json.loads(text)
    measure(document, "booked_order_amount_net_cny")["expr"] = "order_amount_net_txn"

    found: Definitions = parse(json.dumps(document))
    assert violations(found) == []
