"""Metrics on a company small enough to add up by eye: answers, guards, views, macro, and the rows behind a cell."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tieout.engine import connect
from tieout.fingerprint import table_hash
from tieout.metrics import engine as engine_module
from tieout.metrics.answer import answer
from tieout.metrics.definitions import GRAINS, Definitions, read_yaml
from tieout.metrics.engine import Engine
from tieout.metrics.errors import DefinitionError, MetricError, TraceMismatch, UnknownName, UnlawfulSum
from tieout.metrics.layer import build_layer
from tieout.metrics.trace import trace

META = "owner: sales, agreed_by: [sales], "
YUAN = "unit: CNY, currency: CNY, tax: excluded, "
COMPANY = f"""
semantic_models:
  - name: customers
    model: ref('dim_customer')
    entities: [{{name: customer, type: primary, expr: customer_key}}]
    dimensions:
      - {{name: customer_code, type: categorical}}
      - {{name: customer_name, type: categorical}}
  - name: products
    model: ref('dim_product')
    entities: [{{name: product, type: primary, expr: product_key}}]
    dimensions:
      - {{name: product_code, type: categorical}}
      - {{name: uom_code, type: categorical}}
  - name: orders
    model: ref('fct_order')
    primary_entity: order
    defaults: {{agg_time_dimension: order_date}}
    entities: [{{name: customer, type: foreign, expr: customer_key}}]
    dimensions:
      - {{name: order_date, type: time, type_params: {{time_granularity: day}}}}
      - {{name: currency_code, type: categorical}}
    measures:
      - {{name: booked_cny, agg: sum, expr: case when is_booked then amount_cny end}}
      - {{name: draft_txn, agg: sum, expr: case when not is_booked then amount_txn end}}
  - name: shipments
    model: ref('fct_shipment')
    primary_entity: shipment
    defaults: {{agg_time_dimension: ship_date}}
    entities: [{{name: customer, type: foreign, expr: customer_key}}]
    dimensions:
      - {{name: ship_date, type: time, type_params: {{time_granularity: day}}}}
    measures:
      - {{name: shipped_cny, agg: sum, expr: amount_cny}}
  - name: stock_days
    model: ref('fct_stock_day')
    primary_entity: stock_day
    defaults: {{agg_time_dimension: balance_date}}
    entities: [{{name: product, type: foreign, expr: product_key}}]
    dimensions:
      - {{name: balance_date, type: time, type_params: {{time_granularity: day}}}}
    measures:
      - name: closing
        agg: sum
        expr: closing_qty
        non_additive_dimension: {{name: balance_date, window_choice: max}}
metrics:
  - name: order_amount_net
    label: 订单额
    description: 订单额 / Orders booked.
    type: simple
    type_params: {{measure: booked_cny}}
    config: {{meta: {{{META}{YUAN}time_role: ordered, additivity: additive, by: [customer_code]}}}}
  - name: ship_amount_net
    label: 发货额
    description: 发货额 / Goods shipped.
    type: simple
    type_params: {{measure: shipped_cny}}
    config: {{meta: {{{META}{YUAN}time_role: shipped, additivity: additive, by: [customer_code]}}}}
  - name: ship_amount_balance
    label: 累计发货额
    description: 累计发货额 / Goods shipped to date.
    type: cumulative
    type_params: {{measure: shipped_cny, cumulative_type_params: {{period_agg: last}}}}
    config: {{meta: {{{META}{YUAN}time_role: shipped, additivity: semi_additive, by: [customer_code]}}}}
  - name: order_amount_balance
    label: 累计订单额
    description: 累计订单额 / Orders booked to date.
    type: cumulative
    type_params: {{measure: booked_cny, cumulative_type_params: {{period_agg: last}}}}
    config: {{meta: {{{META}{YUAN}time_role: ordered, additivity: semi_additive, by: [customer_code]}}}}
  - name: backlog_amount_net
    label: 未发货额
    description: 未发货额 / Booked to date less shipped to date.
    type: derived
    type_params:
      # without the condition a draft would make a row of zero
      expr: case when booked is not null or shipped is not null then coalesce(booked, 0) - coalesce(shipped, 0) end
      metrics:
        - {{name: order_amount_balance, alias: booked}}
        - {{name: ship_amount_balance, alias: shipped}}
    config: {{meta: {{{META}{YUAN}time_role: [ordered, shipped], additivity: semi_additive, by: [customer_code]}}}}
  - name: ship_to_order_ratio
    label: 发货订单比
    description: 发货订单比 / Shipped over ordered in a period.
    type: ratio
    type_params: {{numerator: ship_amount_net, denominator: order_amount_net}}
    config: {{meta: {{{META}unit: ratio, currency: none, tax: none, time_role: [ordered, shipped],
                     additivity: non_additive, by: [customer_code]}}}}
  - name: order_draft_amount_txn
    label: 草稿订单额
    description: 草稿订单额 / Orders in draft, document currency.
    type: simple
    type_params: {{measure: draft_txn}}
    config: {{meta: {{{META}unit: currency_code, currency: document, tax: excluded, time_role: ordered,
                     additivity: additive, requires_by: [currency_code], by: [currency_code]}}}}
  - name: stock_on_hand_qty
    label: 库存
    description: 库存 / Stock at the end of the period.
    type: simple
    type_params: {{measure: closing}}
    config: {{meta: {{{META}unit: uom_code, currency: none, tax: none, time_role: balance,
                     additivity: semi_additive, requires_by: [product_code, uom_code],
                     by: [uom_code, product_code, [product_code, uom_code]],
                     trace: {{relation: marts.fct_stock_leg, time: move_date, amount: qty}}}}}}
saved_queries:
  - name: sales_monthly
    label: 销售
    description: 月销售 / Sales by month.
    query_params:
      metrics: [order_amount_net, ship_amount_net, backlog_amount_net]
      group_by: ["TimeDimension('metric_time', 'month')", "Dimension('customer__customer_code')"]
    exports: [{{name: sales_monthly, config: {{export_as: view}}}}]
"""
MARTS = """
create schema marts;
create schema raw_shop;
create table marts.dim_date as
    select cast(d as date) as date_day from generate_series(date '2026-01-01', date '2026-12-31', interval 1 day) t(d);
create table marts.dim_customer(customer_key text, customer_code text, customer_name text);
insert into marts.dim_customer values
    ('k1', 'C1', '甲'), ('k2', 'C2', '乙''s'), ('unmatched', 'unmatched', '未匹配');
create table marts.fct_order(
    order_date date, customer_key text, is_booked boolean, currency_code text,
    amount_txn decimal(18, 2), amount_cny decimal(18, 2),
    source_system text, source_stream text, source_record text);
insert into marts.fct_order values
    ('2026-01-10', 'k1', true, 'CNY', 100.10, 100.10, 'shop', 'order', '1'),
    ('2026-01-31', 'k2', true, 'USD', 10.00, 70.05, 'shop', 'order', '2'),
    ('2026-02-01', 'k1', true, 'CNY', 30.00, 30.00, 'shop', 'order', '3'),
    ('2026-02-03', 'unmatched', true, 'CNY', 5.55, 5.55, 'shop', 'order', '4'),
    ('2026-02-04', null, true, 'CNY', 4.44, 4.44, 'shop', 'order', '5'),
    ('2026-02-05', 'k9', true, 'CNY', 3.33, 3.33, 'shop', 'order', '6'),
    ('2026-02-06', 'k1', true, 'CNY', -30.00, -30.00, 'shop', 'order', '7'),
    (null, 'k1', false, 'CNY', 9.00, null, 'shop', 'order', '8'),
    ('2026-02-06', 'k2', false, 'USD', 8.00, null, 'shop', 'order', '9');
create table marts.fct_shipment(
    ship_date date, customer_key text, amount_cny decimal(18, 2),
    source_system text, source_stream text, source_record text);
insert into marts.fct_shipment values
    ('2026-01-20', 'k1', 60.10, 'shop', 'shipment', 'a'),
    ('2026-02-02', 'k1', 40.00, 'shop', 'shipment', 'b'),
    ('2026-04-02', 'k2', 70.05, 'shop', 'shipment', 'c');
create table marts.dim_product(product_key text, product_code text, uom_code text);
insert into marts.dim_product values ('p1', 'P1', 'kg'), ('p2', 'P2', 'piece');
create table marts.fct_stock_leg(
    move_date date, product_key text, qty decimal(18, 4),
    source_system text, source_stream text, source_record text);
insert into marts.fct_stock_leg values
    ('2026-01-05', 'p1', 10, 'shop', 'move', '1'), ('2026-01-06', 'p2', 3, 'shop', 'move', '2'),
    ('2026-02-07', 'p1', -4, 'shop', 'move', '3');
create table marts.fct_stock_day as
    select
        date_day as balance_date, product_key,
        (select coalesce(sum(qty), 0)::decimal(18, 4) from marts.fct_stock_leg l
         where l.product_key = p.product_key and l.move_date <= date_day) as closing_qty,
        'shop' as source_system, 'move' as source_stream, product_key || date_day as source_record
    from marts.dim_date, marts.dim_product p
    where date_day between '2026-01-05' and '2026-02-07';
create table raw_shop."order" as
    select cast(source_record as bigint) as id, amount_txn, 'batch-1' as _batch_id, 'orders.csv' as _origin,
        cast(source_record as bigint) + 1 as _row
    from marts.fct_order;
create table raw_shop.shipment as
    select source_record as no, 'batch-2' as _batch_id, 'public.shipment' as _origin, rowid + 1 as _row
    from marts.fct_shipment;
create table raw_shop.move as
    select cast(source_record as bigint) as id, 'batch-3' as _batch_id, 'public.move' as _origin, rowid + 1 as _row
    from marts.fct_stock_leg;
"""
# What dbt's manifest says of the columns.
_CNY = {"unit": "CNY", "currency": "CNY", "tax": "excluded"}
_COLUMNS = {
    "fct_order": {
        "order_date": {"time_role": "ordered"},
        "currency_code": {},
        "is_booked": {},
        "amount_txn": {"unit": "currency_code", "currency": "document", "tax": "excluded"},
        "amount_cny": _CNY,
    },
    "fct_shipment": {"ship_date": {"time_role": "shipped"}, "amount_cny": _CNY, "amount_eur": _CNY},
    "fct_stock_day": {"balance_date": {"time_role": "balance"}, "closing_qty": {"unit": "uom_code"}},
}
MANIFEST = {
    "nodes": {
        f"model.{mart}": {
            "resource_type": "model",
            "name": mart,
            "columns": {name: {"name": name, "config": {"meta": meta}} for name, meta in columns.items()},
        }
        for mart, columns in _COLUMNS.items()
    },
    "semantic_models": {},
}
KEYS = {("shop", "order"): ("id",), ("shop", "shipment"): ("no",), ("shop", "move"): ("id",)}
D = Decimal


def definitions(folder: Path, text: str = COMPANY) -> Definitions:
    folder.mkdir(exist_ok=True)
    (folder / "company.yml").write_text(text, encoding="utf-8")
    return read_yaml(folder)


def build(con: duckdb.DuckDBPyConnection, folder: Path, text: str = COMPANY):
    """Build the layer as a refresh does, from files that look like dbt's."""
    manifest = folder / "manifest.json"
    semantic = folder / "semantic_manifest.json"
    semantic.write_text(definitions(folder / "yaml", text).text, encoding="utf-8")
    manifest.write_text(json.dumps(MANIFEST), encoding="utf-8")
    return build_layer(con, semantic, manifest)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A warehouse file with marts and the layer; tests copy it or only read it."""
    folder = tmp_path_factory.mktemp("metrics")
    with connect(folder / "warehouse.duckdb") as con:
        con.execute(MARTS)
        build(con, folder)
    return folder / "warehouse.duckdb"


@pytest.fixture
def con(built):
    with connect(built, read_only=True) as con:
        yield con


@pytest.fixture
def own(built, tmp_path):
    """A warehouse a test may change."""
    shutil.copy(built, tmp_path / "own.duckdb")
    with connect(tmp_path / "own.duckdb") as con:
        yield con


def months(con, name: str, **more) -> dict[str, Decimal]:
    return {f"{row[0]:%Y-%m}": row[-1] for row in answer(con, name, "month", **more).rows}


# --- answers --------------------------------------------------------------------------------------


def test_a_sum_by_month_and_over_all_time(con):
    assert months(con, "order_amount_net") == {"2026-01": D("170.15"), "2026-02": D("13.32")}
    assert answer(con, "order_amount_net").rows == [(D("183.47"),)]


def test_members_nobody_knows_keep_their_money(con):
    rows = answer(con, "order_amount_net", "month", ["customer_code"], period="2026-02").rows

    by_customer = {code: value for _, code, value in rows}
    assert by_customer == {"C1": D("0.00"), "unmatched": D("5.55"), None: D("7.77")}
    assert sum(by_customer.values()) == months(con, "order_amount_net")["2026-02"]


def test_drafts_do_not_make_a_row_of_zero(con):
    assert all(row[0] is not None for row in answer(con, "order_amount_net", "month").rows)


def test_a_balance_is_that_of_the_last_day_and_stops_with_the_last_movement(con):
    assert months(con, "ship_amount_balance") == {
        "2026-01": D("60.10"), "2026-02": D("100.10"), "2026-03": D("100.10"), "2026-04": D("170.15"),
    }  # fmt: skip


def test_two_facts_side_by_side_do_not_multiply_each_other(con):
    rows = answer(con, "backlog_amount_net", "month", ["customer"], period="2026-02").rows

    assert {code: value for _, code, value in rows} == {
        "C1": D("0.00"),  # 100.10 + 30 - 30 - 60.10 - 40
        "C2": D("70.05"),
        "unmatched": D("5.55"),
        None: D("7.77"),
    }
    assert months(con, "backlog_amount_net")["2026-02"] == D("83.37")


def test_a_formula_goes_on_where_one_of_its_inputs_has_ended(con):
    # the last order is of February, the last shipment of April
    assert months(con, "backlog_amount_net")["2026-04"] == D("13.32")


def test_a_ratio_of_nothing_is_no_row_and_never_infinite(con):
    assert {key: round(value, 6) for key, value in months(con, "ship_to_order_ratio").items()} == {
        "2026-01": round(60.10 / 170.15, 6), "2026-02": round(40 / 13.32, 6),
    }  # fmt: skip


def test_stock_is_the_last_day_of_the_period_and_keeps_units_apart(con):
    assert answer(con, "stock_on_hand_qty", "month", ["uom_code"]).rows == [
        (date(2026, 1, 1), "kg", D(10)), (date(2026, 1, 1), "piece", D(3)),
        (date(2026, 2, 1), "kg", D(6)), (date(2026, 2, 1), "piece", D(3)),
    ]  # fmt: skip


def test_a_dimension_fixed_to_one_value_is_a_filter(con):
    assert answer(con, "order_amount_net", where={"customer": "C2"}).rows == [("C2", D("70.05"))]
    assert answer(con, "order_amount_net", where={"customer": None}).rows == [(None, D("7.77"))]


def test_a_period_divides_into_finer_grains_only(con):
    assert len(answer(con, "order_amount_net", "day", period="2026-01").rows) == 2
    assert answer(con, "order_amount_net", period="2026-Q1").rows == [(date(2026, 1, 1), D("183.47"))]
    with pytest.raises(MetricError, match="does not hold whole"):
        answer(con, "order_amount_net", "month", period="2026-01-10")
    with pytest.raises(MetricError, match="does not hold whole"):
        answer(con, "order_amount_net", "week", period="2026-01")


def test_what_nobody_stored_is_compiled_when_asked(con):
    asked = answer(con, "order_amount_net", "quarter", ["currency_code", "customer_name"])

    by_hand = con.execute(
        "select date '2026-01-01', currency_code, customer_name, sum(amount_cny) from marts.fct_order"
        " left join marts.dim_customer using (customer_key) where is_booked group by all"
        " order by 2, 3 nulls last"
    ).fetchall()
    assert asked.columns == ("period_start", "currency_code", "customer_name", "value")
    assert asked.rows == by_hand


def test_the_common_case_loads_neither_the_compiler_nor_pandas(built):
    code = (
        "import sys; from tieout.engine import connect; from tieout.metrics.answer import answer\n"
        f"con = connect({str(built)!r}, read_only=True)\n"
        "rows = answer(con, 'order_amount_net', 'month', ['customer'], where={'customer': 'C1'}).rows\n"
        "assert len(rows) == 2, rows\n"
        "print({'metricflow', 'sqlglot', 'pandas', 'pydantic', 'yaml'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "set()", done.stderr


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "hint"),
    [
        ({"name": "order_amount_nett"}, "Did you mean order_amount_net"),
        ({"name": "order_amount_net", "grain": "fortnight"}, "Known: day, month"),
        ({"name": "order_amount_net", "by": ["custmer_code"]}, "Did you mean customer_code"),
        ({"name": "order_amount_net", "by": ["product_code"]}, "Known: currency_code, customer_code"),
        ({"name": "order_amount_net", "where": {"region": "east"}}, "unknown dimension 'region'"),
        ({"name": "order_amount_net", "period": "January"}, "unknown period"),
    ],
)
def test_a_name_that_does_not_exist_is_an_error_with_a_hint(con, question, hint):
    with pytest.raises(UnknownName, match=hint):
        answer(con, **question)


def test_currencies_and_units_are_not_added(con):
    with pytest.raises(UnlawfulSum, match=r"different currencies.*by currency_code"):
        answer(con, "order_draft_amount_txn")
    with pytest.raises(UnlawfulSum, match=r"different units.*by product_code or uom_code"):
        answer(con, "stock_on_hand_qty", "month")

    assert answer(con, "order_draft_amount_txn", by=["currency_code"]).rows == [("CNY", D(9)), ("USD", D(8))]
    assert answer(con, "stock_on_hand_qty", where={"product": "P2"}).rows == [("P2", D(3))]


@pytest.mark.parametrize(
    "value",
    [
        "C1' or 1=1 --", "C1') or (select count(*) from read_text('/etc/passwd')) > 0 or ('", "乙's", "\\'", "%",
        "'; drop table metrics.metric_values; --",
    ],
)  # fmt: skip
def test_a_value_from_a_user_is_only_ever_a_value(con, value):
    found = answer(con, "order_amount_net", by=["customer_code"], where={"customer_name": value}).rows

    assert found == ([("C2", "乙's", D("70.05"))] if value == "乙's" else [])
    with pytest.raises(UnknownName):
        answer(con, value)


def test_a_file_without_metrics_says_so(tmp_path):
    with connect(tmp_path / "empty.duckdb") as con, pytest.raises(MetricError, match="tieout refresh"):
        answer(con, "order_amount_net")


# --- the layer ------------------------------------------------------------------------------------


def test_the_wide_view_shows_what_the_metrics_say(con):
    view = con.execute(
        "select period_start, customer_code, order_amount_net, ship_amount_net, backlog_amount_net"
        " from metrics.sales_monthly order by all"
    ).fetchall()

    for column, name in enumerate(("order_amount_net", "ship_amount_net", "backlog_amount_net"), start=2):
        single = answer(con, name, "month", ["customer_code"]).rows
        assert sorted(
            (row[0], str(row[1]), row[column]) for row in view if row[column] is not None
        ) == sorted((row[0], str(row[1]), row[2]) for row in single)


def test_every_stored_value_is_the_answer(con):
    cells = con.execute(
        "select metric_name, time_grain, dim_set, count(*), sum(value) from metrics.metric_values group by all"
    ).fetchall()

    assert len(cells) > 60
    for name, grain, dims, count, total in cells:
        by = [] if dims == "all" else dims.split(",")
        rows = answer(con, name, grain, by).rows
        assert len(rows) == count
        assert sum(D(str(row[-1])) for row in rows) == pytest.approx(total)


def test_values_are_decimals_with_unit_and_currency(con):
    rows = con.execute(
        "select dims, value, unit, currency_code from metrics.metric_values"
        " where metric_name = 'order_draft_amount_txn' and time_grain = 'all' order by dims"
    ).fetchall()
    kind = con.execute("select typeof(value) from metrics.metric_values limit 1").fetchone()

    assert kind == ("DECIMAL(38,8)",)
    assert rows == [
        ('{"currency_code":"CNY"}', D(9), "CNY", "CNY"),
        ('{"currency_code":"USD"}', D(8), "USD", "USD"),
    ]
    assert con.execute(
        "select distinct unit from metrics.metric_values where metric_name = 'stock_on_hand_qty' order by 1"
    ).fetchall() == [("kg",), ("piece",)]


def test_the_catalogue_says_what_a_metric_means(con):
    row = con.execute(
        "select label, description_en, tax, time_role, requires_by, formula from metrics.metric_catalog"
        " where metric_name = 'order_draft_amount_txn'"
    ).fetchone()

    assert row == (
        "草稿订单额", "Orders in draft, document currency.", "excluded", "ordered", "currency_code",
        "sum(case when not is_booked then amount_txn end) of marts.fct_order by order_date",
    )  # fmt: skip


@pytest.mark.parametrize(
    "query",
    [
        "from metrics.metric('order_amount_nett')",
        "from metrics.metric('order_amount_net', grain := 'fortnight')",
        "from metrics.metric('order_amount_net', dims_by := 'customer')",
        "from metrics.metric('stock_on_hand_qty')",
        "from metrics.metric('stock_on_hand_qty', dims_by := 'product_code')",
        "select count(*) from metrics.metric('order_amount_nett')",
        "select sum(value) from metrics.metric('order_amount_nett') where period_start > '2030-01-01'",
        "select sum(value) from metrics.metric('order_amount_nett') where value > 1e9",
    ],
)
def test_the_macro_never_answers_a_wrong_name_with_nothing(con, query):
    with pytest.raises(duckdb.Error, match="unknown metric, grain or dimensions"):
        con.execute(query).fetchall()


def test_the_macro_answers_from_any_client(con):
    rows = con.execute(
        "select period_start, dims ->> 'customer_code', value"
        " from metrics.metric('ship_amount_net', grain := 'month', dims_by := 'customer_code') order by 1"
    ).fetchall()

    assert rows == [
        (date(2026, 1, 1), "C1", D("60.10")), (date(2026, 2, 1), "C1", D(40)), (date(2026, 4, 1), "C2", D("70.05")),
    ]  # fmt: skip


def test_a_copied_and_renamed_file_still_answers(built, tmp_path):
    shutil.copy(built, tmp_path / "另一个名字.duckdb")
    with connect(tmp_path / "另一个名字.duckdb", read_only=True) as con:
        assert answer(con, "order_amount_net").rows == [(D("183.47"),)]
        assert con.execute("select count(*) from metrics.sales_monthly").fetchone() != (0,)
        assert con.execute("select count(*) from metrics.metric('order_amount_net')").fetchone() == (2,)
    with connect() as con:
        con.execute(f"attach '{tmp_path / '另一个名字.duckdb'}' as elsewhere (read_only); use elsewhere")
        assert answer(con, "order_amount_net").rows == [(D("183.47"),)]


def test_building_again_compiles_nothing_and_changes_nothing(own, tmp_path):
    before = table_hash(own, "metrics.metric_values")

    again = build(own, tmp_path)

    assert again.compiled == 0
    assert (again.metrics, again.views) == (8, 1)
    assert table_hash(own, "metrics.metric_values") == before


def test_only_what_depends_on_a_change_is_compiled_again(own, tmp_path):
    changed = COMPANY.replace("label: 发货额", "label: 出库额").replace(
        "then coalesce(booked, 0) - coalesce(shipped, 0)", "then coalesce(shipped, 0) - coalesce(booked, 0)"
    )

    again = build(own, tmp_path, changed)

    assert again.compiled == 3  # two sets of the formula, and the export; a new label compiles nothing
    assert months(own, "backlog_amount_net")["2026-04"] == D("-13.32")


def test_definitions_that_do_not_fit_the_marts_leave_the_layer_as_it_was(own, tmp_path):
    with pytest.raises(DefinitionError, match="left as it was"):
        build(own, tmp_path, COMPANY.replace("expr: amount_cny}", "expr: amount_eur}"))

    assert answer(own, "ship_amount_net").rows == [(D("170.15"),)]
    assert own.execute("select count(*) from metrics.metric('ship_amount_net')").fetchone() == (3,)


def test_an_export_that_is_gone_takes_its_view_along(own, tmp_path):
    own.execute("create view metrics.somebody_elses as select 1 as one")

    build(own, tmp_path, COMPANY.replace("name: sales_monthly, config", "name: sales_by_month, config"))

    views = own.execute(
        "select view_name from duckdb_views() where schema_name = 'metrics' order by 1"
    ).fetchall()
    assert views == [("sales_by_month",), ("somebody_elses",)]


def test_one_compiled_text_serves_all_grains(tmp_path):
    """The shortcut of `all_grains` equals the compiler's own text for every metric, grain and set."""
    engine = Engine(definitions(tmp_path))

    for name in engine.definitions.metrics:
        for dimensions in ((), tuple(engine.definitions.dimensions(name))[:2]):
            made = engine.all_grains(name, dimensions)
            assert made == {grain: engine.query(name, grain, dimensions) for grain in (None, *GRAINS)}


def test_the_lean_balance_equals_the_compilers(con, tmp_path, monkeypatch):
    engine = Engine(definitions(tmp_path))
    questions = [
        (name, grain, dimensions)
        for name in ("ship_amount_balance", "order_amount_balance", "backlog_amount_net")
        for grain in ("day", "week", "month", "year", None)
        for dimensions in ((), ("customer_code",))
    ]
    lean = [con.execute(f"{engine.query(*item)} order by all").fetchall() for item in questions]

    monkeypatch.setattr(engine_module, "_lean", lambda tree, spines, grain: tree)

    plain = [con.execute(f"{engine.query(*item)} order by all").fetchall() for item in questions]
    assert lean == plain
    assert any(lean)


# --- trace ----------------------------------------------------------------------------------------


def test_the_rows_behind_every_cell_add_up_to_it(con):
    """Every stored cell of every metric, by every stored dimension set: `trace` raises if one does not."""
    cells = con.execute(
        "select metric_name, time_grain, dims, period_start, value from metrics.metric_values"
        # an undated row lies in no period; of days and weeks a few are enough
        " where time_grain = 'all' or (period_start is not null and (time_grain not in ('day', 'week')"
        " or period_start between '2026-01-26' and '2026-02-08'))"
    ).fetchall()

    for name, grain, dims, start, value in cells:
        period = {
            "all": lambda d: None, "day": lambda d: f"{d}", "month": lambda d: f"{d:%Y-%m}", "year": lambda d: f"{d:%Y}",
            "quarter": lambda d: f"{d:%Y}-Q{(d.month + 2) // 3}", "week": lambda d: f"{d:%G-W%V}",
        }[grain](start)  # fmt: skip
        found = trace(con, name, grain, period, json.loads(dims), keys=KEYS)
        assert D(str(found.cell)) == pytest.approx(value)
        assert found.unresolved == 0
    assert len(cells) > 150


def test_a_cell_leads_to_the_lines_of_the_file(con):
    found = trace(con, "order_amount_net", "month", "2026-02", {"customer": "C1"}, keys=KEYS)

    assert [(row.record, row.contribution, row.origin, row.position, row.batch) for row in found.rows] == [
        ("3", D("30.00"), "orders.csv", 4, "batch-1"), ("7", D("-30.00"), "orders.csv", 8, "batch-1"),
    ]  # fmt: skip
    assert found.cell == found.total == D("0.00")
    assert found.rows[0].fact == "marts.fct_order"


def test_a_snapshot_leads_to_the_moves_it_is_made_of(con):
    found = trace(con, "stock_on_hand_qty", "month", "2026-02", {"product_code": "P1"}, keys=KEYS)

    assert [(row.record, row.contribution, row.origin) for row in found.rows] == [
        ("1", D(10), "public.move"), ("3", D(-4), "public.move"),
    ]  # fmt: skip


def test_a_formula_leads_to_the_rows_of_each_input(con):
    found = trace(con, "backlog_amount_net", "month", "2026-03", {"customer_code": "C1"}, keys=KEYS)

    assert [(item.metric, item.total, len(item.rows)) for item in found.inputs] == [
        ("order_amount_balance", D("100.10"), 3), ("ship_amount_balance", D("100.10"), 2),
    ]  # fmt: skip
    assert found.total == 0
    assert found.rows == []
    assert {(row.source_stream, row.origin) for row in found.contributions} == {
        ("order", "orders.csv"), ("shipment", "public.shipment"),
    }  # fmt: skip


def test_an_empty_cell_has_no_rows(con):
    found = trace(con, "ship_amount_net", "month", "2026-03", keys=KEYS)

    assert (found.cell, found.total, found.rows) == (None, None, [])


def test_rows_that_do_not_add_up_are_an_error(own):
    own.execute(
        "update metrics.compiled_query set sql = replace(sql, 'is_booked THEN amount_cny', 'true THEN 1')"
    )

    with pytest.raises(TraceMismatch, match="Do not use this number"):
        trace(own, "order_amount_net", "month", "2026-02", keys=KEYS)


def test_a_source_row_that_is_not_at_hand_is_said_and_not_guessed(own):
    own.execute("delete from raw_shop.shipment where no = 'b'")

    found = trace(own, "ship_amount_net", keys=KEYS)

    assert found.unresolved == 1
    assert [row.origin for row in found.rows if row.record == "b"] == [None]


def test_a_trace_asks_for_one_cell(con):
    with pytest.raises(MetricError, match="needs a period"):
        trace(con, "order_amount_net", "month", None, keys=KEYS)
    with pytest.raises(UnlawfulSum):
        trace(con, "stock_on_hand_qty", "month", "2026-02", keys=KEYS)
