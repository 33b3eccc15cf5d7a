"""Each rule stands for a wrong number; each is broken once here, starting from our own definitions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from tieout.metrics.definitions import parse, read_yaml
from tieout.metrics.errors import DefinitionError
from tieout.metrics.marts import Marts, marts_in, read_marts
from tieout.metrics.rules import require, violations
from tieout.settings import PROJECT

FOLDER = PROJECT / "dbt_project" / "models" / "metrics"


@pytest.fixture(scope="module")
def text() -> str:
    return read_yaml(FOLDER).text


def test_our_own_definitions_keep_every_rule(text):
    assert violations(parse(text)) == []


def test_there_are_twenty_metrics_and_three_words_for_sales(text):
    metrics = parse(text).metrics

    assert len(metrics) >= 20
    assert {"sales_order_amount_net", "sales_shipped_amount_net", "revenue_amount_net"} <= set(metrics)


def metric(document: dict, name: str) -> dict:
    return next(item for item in document["metrics"] if item["name"] == name)


def meta(document: dict, name: str) -> dict:
    return metric(document, name)["config"]["meta"]


def measure(document: dict, name: str) -> dict:
    return next(
        item for model in document["semantic_models"] for item in model["measures"] if item["name"] == name
    )


def forget(mapping: dict, key: str) -> None:
    del mapping[key]


BROKEN: dict[str, tuple[str, str, Callable[[dict], object]]] = {
    "meta is incomplete": (
        "meta",
        "bank_balance",
        lambda d: forget(meta(d, "bank_balance"), "tax"),
    ),
    "meta has an unknown key": (
        "meta",
        "bank_balance",
        lambda d: meta(d, "bank_balance").update(colour="red"),
    ),
    "no Chinese label": (
        "named",
        "bank_balance",
        lambda d: metric(d, "bank_balance").update(label="Bank"),
    ),
    "description in one language": (
        "named",
        "bank_balance",
        lambda d: metric(d, "bank_balance").update(description="银行余额"),
    ),
    "the first day of the period": (
        "period-agg",
        "bank_balance",
        lambda d: metric(d, "bank_balance")["type_params"]["cumulative_type_params"].update(
            period_agg="first"
        ),
    ),
    "nothing said about the period": (
        "period-agg",
        "bank_balance",
        lambda d: forget(metric(d, "bank_balance")["type_params"], "cumulative_type_params"),
    ),
    "a filter on a metric": (
        "filter-in-measure",
        "bank_balance",
        lambda d: metric(d, "bank_balance").update(filter={"where_filters": [{"where_sql_template": "x"}]}),
    ),
    "a filter on the measure of a metric": (
        "filter-in-measure",
        "worked_hours",
        lambda d: metric(d, "worked_hours")["type_params"]["measure"].update(filter={"where_filters": ["x"]}),
    ),
    "a filter on an input": (
        "filter-in-measure",
        "scrap_ratio",
        lambda d: metric(d, "scrap_ratio")["type_params"]["metrics"][0].update(filter="x"),
    ),
    "division without nullif": (
        "expression",
        "scrap_ratio",
        lambda d: metric(d, "scrap_ratio")["type_params"].update(expr="scrapped / planned"),
    ),
    "division hidden in parentheses": (
        "expression",
        "scrap_ratio",
        lambda d: metric(d, "scrap_ratio")["type_params"].update(expr="scrapped / (planned)"),
    ),
    "zeroes for days without anything": (
        "supported",
        "worked_hours",
        lambda d: metric(d, "worked_hours")["type_params"]["measure"].update(join_to_timespine=True),
    ),
    "zeroes beside other metrics": (
        "supported",
        "worked_hours",
        lambda d: metric(d, "worked_hours")["type_params"]["measure"].update(fill_nulls_with=0),
    ),
    "an expression of something else": (
        "expression",
        "scrap_ratio",
        lambda d: metric(d, "scrap_ratio")["type_params"].update(expr="scrapped / nullif(plan, 0)"),
    ),
    "days of stock added up": (
        "additivity",
        "stock_on_hand_qty",
        lambda d: forget(measure(d, "closing_stock_qty"), "non_additive_dimension"),
    ),
    "a balance called additive": (
        "additivity",
        "bank_balance",
        lambda d: meta(d, "bank_balance").update(additivity="additive"),
    ),
    "a ratio called additive": (
        "additivity",
        "opportunity_conversion_ratio",
        lambda d: meta(d, "opportunity_conversion_ratio").update(additivity="additive"),
    ),
    "currencies added up": (
        "units",
        "sales_invoice_draft_amount_net_txn",
        lambda d: meta(d, "sales_invoice_draft_amount_net_txn").update(requires_by=["customer_code"]),
    ),
    "units added up": (
        "units",
        "produced_qty",
        lambda d: meta(d, "produced_qty").update(requires_by=[]),
    ),
    "a formula that drops its inputs' guard": (
        "units",
        "scrap_ratio",
        lambda d: meta(d, "scrap_ratio").update(requires_by=[]),
    ),
    "a formula of another currency": (
        "units",
        "goods_received_not_invoiced_amount_net",
        lambda d: meta(d, "goods_received_not_invoiced_amount_net").update(unit="USD", currency="USD"),
    ),
    "a formula of another tax basis": (
        "units",
        "goods_received_not_invoiced_amount_net",
        lambda d: meta(d, "goods_received_not_invoiced_amount_net").update(tax="included"),
    ),
    "two dates for one number": (
        "time-role",
        "worked_hours",
        lambda d: meta(d, "worked_hours").update(time_role=["worked", "paid"]),
    ),
    "a formula that hides one of its dates": (
        "time-role",
        "goods_received_not_invoiced_amount_net",
        lambda d: meta(d, "goods_received_not_invoiced_amount_net").update(time_role="received"),
    ),
    "a dimension it does not have": (
        "dimensions",
        "worked_hours",
        lambda d: meta(d, "worked_hours").update(by=["customer_code"]),
    ),
    "a stored set the guard would refuse": (
        "dimensions",
        "produced_qty",
        lambda d: meta(d, "produced_qty").update(by=["category_name"]),
    ),
    "an average": (
        "supported",
        "worked_hours",
        lambda d: measure(d, "reported_worked_hours").update(agg="average"),
    ),
    "year to date by the compiler": (
        "supported",
        "bank_balance",
        lambda d: metric(d, "bank_balance")["type_params"]["cumulative_type_params"].update(
            grain_to_date="year"
        ),
    ),
    "a measure nobody uses": (
        "no-orphan-measure",
        "timesheet_lines",
        lambda d: d["metrics"].remove(metric(d, "worked_hours")) or d["saved_queries"].clear(),
    ),
    "two names for one number": (
        "one-simple-metric",
        "worked_hours",
        lambda d: metric(d, "opportunity_count")["type_params"].update(
            measure={"name": "reported_worked_hours"}
        ),
    ),
    "one word for two numbers": (
        "one-meaning",
        "sales_shipped_amount_net",
        lambda d: meta(d, "sales_shipped_amount_net").update(replaces=["GMV"]),
    ),
    "no time spine": (
        "time-spine",
        "time spine",
        lambda d: d["project_configuration"]["time_spines"].clear(),
    ),
    "an export by a dimension a metric lacks": (
        "exports",
        "worked_hours_by_work_monthly",
        lambda d: next(item for item in d["saved_queries"] if item["name"] == "worked_hours_by_work_monthly")[
            "query_params"
        ]["group_by"].append("Dimension('customer__customer_code')"),
    ),
    "an export that adds unlike units": (
        "exports",
        "production_by_product_monthly",
        lambda d: next(
            item for item in d["saved_queries"] if item["name"] == "production_by_product_monthly"
        )["query_params"].update(group_by=["TimeDimension('metric_time', 'month')"]),
    ),
    "an export with a filter of its own": (
        "exports",
        "three_sales_monthly",
        lambda d: next(item for item in d["saved_queries"] if item["name"] == "three_sales_monthly")[
            "query_params"
        ].update(where=["x"]),
    ),
    "two dimensions of one name": (
        "distinct-dimensions",
        "payments",
        lambda d: next(item for item in d["semantic_models"] if item["name"] == "suppliers")[
            "dimensions"
        ].append({"name": "customer_city", "type": "categorical", "expr": "city"}),
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_rule_is_found_where_it_is_broken(text, case):
    rule, subject, break_it = BROKEN[case]
    document = json.loads(text)
    break_it(document)

    found = violations(parse(json.dumps(document)))

    assert (rule, subject) in {(item.rule, item.subject) for item in found}


# Formula of goods received and invoiced → what to write instead.
UNGUARDED = {
    "received - coalesce(invoiced, 0)": "write coalesce(received, 0)",
    "coalesce(received, 0) - invoiced": "write coalesce(invoiced, 0)",
    "received * 2 + invoiced": "write coalesce(received, 0)",
    "abs(coalesce(received, 0) - invoiced)": "write coalesce(invoiced, 0)",
    # guards that are there, and do not guard
    "coalesce(received - invoiced, 0)": "write coalesce(invoiced, 0)",
    "coalesce(received, 0) - coalesce(invoiced, 1)": "write coalesce(invoiced, 0)",
    "coalesce(received, invoiced) - coalesce(invoiced, 0)": "write coalesce(received, 0)",
    "case when received is not null then received - coalesce(invoiced, 0) end": "write coalesce(received, 0)",
    "coalesce(received, 0) - coalesce(invoiced, 0)": "write case when received is not null or invoiced is not null",
}


@pytest.mark.parametrize("formula", UNGUARDED)
def test_a_difference_that_loses_what_one_side_holds_is_refused_with_its_fix(text, formula):
    document = json.loads(text)
    metric(document, "goods_received_not_invoiced_amount_net")["type_params"]["expr"] = formula

    found = violations(parse(json.dumps(document)))

    assert {(item.rule, item.subject) for item in found} == {
        ("missing-input", "goods_received_not_invoiced_amount_net")
    }
    assert any(item.message.startswith(UNGUARDED[formula]) for item in found)


GUARD = "case when received is not null or invoiced is not null then {} end"


@pytest.mark.parametrize(
    "formula",
    [
        GUARD.format("coalesce(received, 0) - coalesce(invoiced, 0)"),
        GUARD.format("ifnull(received, 0) + 2 * coalesce(invoiced, 0.0) - 1"),
        "(coalesce(received, 0) - coalesce(invoiced, 0)) / nullif(received, 0)",
        "1 - received",  # nothing received is nothing, and not one
    ],
)
def test_a_formula_that_keeps_every_side_is_left_alone(text, formula):
    document = json.loads(text)
    metric(document, "goods_received_not_invoiced_amount_net")["type_params"]["expr"] = formula

    assert "missing-input" not in {item.rule for item in violations(parse(json.dumps(document)))}


def test_a_formula_nobody_can_compute_is_refused(text):
    document = json.loads(text)
    metric(document, "goods_received_not_invoiced_amount_net")["type_params"]["expr"] = (
        "sume(received) - invoiced"
    )

    found = violations(parse(json.dumps(document)))

    assert "cannot be computed" in next(item.message for item in found if item.rule == "missing-input")


# --- classes --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def marts() -> Marts:
    return read_marts(FOLDER.parent)


def classes(text: str, marts: Marts, published_at: str = "L2") -> dict[str, list[str]]:
    found = violations(parse(text), marts, published_at)
    return {
        subject: [item.message for item in found if item.rule == "classes" and item.subject == subject]
        for subject in {item.subject for item in found if item.rule == "classes"}
    }


def test_no_metric_of_ours_shows_what_is_above_its_class(text, marts):
    assert classes(text, marts) == {}
    # at L1 nearly every one would: the marts' amounts are internal
    assert len(classes(text, marts, "L1")) > 60


def test_a_measure_over_a_confidential_column_is_refused(text, marts):
    document = json.loads(text)
    measure(document, "month_end_person_count")["expr"] = "gross_pay_amount_cny"

    (message,) = classes(json.dumps(document), marts)["employee_headcount"]

    assert "fct_headcount_month.gross_pay_amount_cny is L4" in message
    assert "published at L2 (`unclassified` in access/roles.yaml)" in message
    assert "use another column in measure month_end_person_count" in message
    assert "employee_headcount" not in classes(json.dumps(document), marts, "L4")


def test_a_condition_on_a_confidential_column_is_refused_like_an_amount(text, marts):
    document = json.loads(text)
    measure(document, "month_end_person_count")["expr"] = "case when gross_pay_amount_cny > 50000 then 1 end"

    assert "employee_headcount" in classes(json.dumps(document), marts)


def test_names_of_people_are_neither_stored_nor_shown_in_a_view(text, marts):
    document = json.loads(text)
    meta(document, "worked_hours")["by"] = ["employee_name"]
    view = next(item for item in document["saved_queries"] if item["name"] == "worked_hours_by_work_monthly")
    view["query_params"]["group_by"].append("Dimension('employee__employee_name')")

    found = classes(json.dumps(document), marts)

    assert found.keys() == {"worked_hours", "worked_hours_by_work_monthly"}
    assert "dim_employee.employee_name is L3" in found["worked_hours"][0]
    assert "take employee_name out of `by`" in found["worked_hours"][0]
    assert "out of the view" in found["worked_hours_by_work_monthly"][0]


def test_a_column_that_becomes_confidential_takes_its_metrics_with_it(text, marts):
    """No metric changed: the class of a column of the mart did."""
    table = marts["fct_timesheet_line"]
    stricter = {
        **marts,
        "fct_timesheet_line": {**table, "worked_hours": replace(table["worked_hours"], sensitivity="L3")},
    }

    assert classes(text, stricter).keys() == {"worked_hours"}


def test_the_check_asks_at_the_class_that_roles_yaml_publishes_metrics_at(monkeypatch, tmp_path):
    """`make check` runs `tieout sync --check`."""
    from tieout import sync
    from tieout.doors.access import load_access
    from tieout.settings import Settings

    settings, asked = Settings(tmp_path), []
    monkeypatch.setattr("tieout.metrics.rules.require", lambda *given: asked.append(given[2:]))
    sync.generated_files(settings)

    assert asked == [(load_access(settings.dbt_project / "access" / "roles.yaml").unclassified,)] == [("L2",)]


def test_a_column_has_its_own_class_or_that_of_its_table():
    node = {
        "resource_type": "model",
        "name": "fct_pay",
        "config": {"meta": {"class": "L4"}},
        "columns": {"pay": {"name": "pay"}, "month": {"name": "month", "config": {"meta": {"class": "L1"}}}},
    }

    found = marts_in({"nodes": {"model.fct_pay": node}})["fct_pay"]

    assert (found["pay"].sensitivity, found["month"].sensitivity) == ("L4", "L1")


def test_broken_definitions_stop_the_build_and_name_every_rule(text):
    document = json.loads(text)
    metric(document, "bank_balance")["type_params"]["cumulative_type_params"]["period_agg"] = "first"
    metric(document, "scrap_ratio")["type_params"]["expr"] = "scrapped / planned"

    with pytest.raises(DefinitionError, match="2 metric rules are broken") as error:
        require(parse(json.dumps(document)))

    assert "period_agg: last" in str(error.value)
    assert "nullif(planned, 0)" in str(error.value)


def test_an_unknown_measure_is_refused_with_the_nearest_name(text):
    document = json.loads(text)
    metric(document, "worked_hours")["type_params"]["measure"]["name"] = "reported_work_hours"

    with pytest.raises(Exception, match="Did you mean reported_worked_hours"):
        parse(json.dumps(document))


def test_the_version_follows_the_formula_and_not_the_prose(text):
    before = parse(text)
    document = json.loads(text)
    metric(document, "scrapped_qty")["description"] = "改写 / Rewritten."
    reworded = parse(json.dumps(document))
    measure(document, "done_scrapped_qty")["expr"] = "scrapped_qty"
    redefined = parse(json.dumps(document))

    assert reworded.version("scrap_ratio") == before.version("scrap_ratio")
    assert redefined.version("scrap_ratio") != before.version("scrap_ratio")
    assert redefined.version("produced_qty") == before.version("produced_qty")
