"""Typed measures on the data: planted rows that break a unit, a currency or a tax basis are found and named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tieout.engine import connect
from tieout.ingest.ledger import ensure_ledger
from tieout.metrics.definitions import read_yaml
from tieout.metrics.layer import build_layer
from tieout.metrics.mixing import record, run_checks
from tieout.tie.verdict import verdict

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
META = "owner: sales, agreed_by: [sales], additivity: additive, time_role: invoiced"
DEFINITIONS = f"""
semantic_models:
  - name: products
    model: ref('dim_product')
    entities: [{{name: product, type: primary, expr: product_key}}]
    dimensions:
      - {{name: product_code, type: categorical}}
      - {{name: base_uom_code, type: categorical}}
  - name: lines
    model: ref('fct_line')
    primary_entity: line
    defaults: {{agg_time_dimension: invoice_date}}
    entities: [{{name: product, type: foreign, expr: product_key}}]
    dimensions:
      - {{name: invoice_date, type: time, type_params: {{time_granularity: day}}}}
    measures:
      - {{name: net_cny, agg: sum, expr: amount_net_cny}}
      - {{name: sold_qty, agg: sum, expr: case when is_posted then qty_base end}}
metrics:
  - name: invoice_amount_net
    label: 开票额
    description: 开票额 / Invoiced.
    type: simple
    type_params: {{measure: net_cny}}
    config: {{meta: {{{META}, unit: CNY, currency: CNY, tax: excluded}}}}
  - name: invoiced_qty
    label: 开票数量
    description: 开票数量 / Quantity invoiced.
    type: simple
    type_params: {{measure: sold_qty}}
    config: {{meta: {{{META}, unit: base_uom_code, currency: none, tax: none,
                     requires_by: [product_code, base_uom_code]}}}}
"""
COLUMNS = {
    "invoice_date": {"time_role": "invoiced"},
    "is_posted": {},
    "product_key": {},
    "base_uom_code": {},
    "currency_code": {},
    "qty_base": {"unit": "base_uom_code"},
    "amount_net_txn": {"unit": "currency_code", "currency": "document", "tax": "excluded"},
    "amount_tax_txn": {"unit": "currency_code", "currency": "document", "tax": "only"},
    "amount_gross_txn": {"unit": "currency_code", "currency": "document", "tax": "included"},
    "amount_net_cny": {"unit": "CNY", "currency": "CNY", "tax": "excluded"},
}
MARTS = """
create schema marts;
create table marts.dim_date as select date '2026-01-01' as date_day;
create table marts.dim_product(product_key text, product_code text, base_uom_code text);
insert into marts.dim_product values ('p1', 'P1', 'kg'), ('p2', 'P2', 'piece');
create table marts.fct_line(
    invoice_date date, is_posted boolean, product_key text, base_uom_code text, currency_code text,
    qty_base decimal(18, 4), amount_net_txn decimal(18, 2), amount_tax_txn decimal(18, 2),
    amount_gross_txn decimal(18, 2), amount_net_cny decimal(18, 2),
    source_system text, source_stream text, source_record text);
insert into marts.fct_line values
    ('2026-01-10', true, 'p1', 'kg', 'CNY', 2, 100, 13, 113, 100, 'erp', 'line', 'L1'),
    ('2026-01-11', true, 'p2', 'piece', 'USD', 5, 10, 0, 10, 71.2, 'erp', 'line', 'L2'),
    ('2026-01-12', true, 'p2', 'piece', 'CNY', -1, -20, -2.6, -22.6, -20, 'erp', 'line', 'L3'),
    -- a draft: no CNY amount, no quantity that counts
    (null, false, 'p1', 'piece', 'CNY', 9, 50, 6.5, 56.5, null, 'erp', 'line', 'L4'),
    -- a line of text
    ('2026-01-12', true, 'p1', null, null, null, null, null, null, null, 'erp', 'line', 'L5');
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("typed")
    (folder / "yaml").mkdir()
    (folder / "yaml" / "lines.yml").write_text(DEFINITIONS, encoding="utf-8")
    (folder / "semantic_manifest.json").write_text(read_yaml(folder / "yaml").text, encoding="utf-8")
    columns = {name: {"name": name, "config": {"meta": meta}} for name, meta in COLUMNS.items()}
    node = {"resource_type": "model", "name": "fct_line", "columns": columns}
    (folder / "manifest.json").write_text(json.dumps({"nodes": {"m": node}, "semantic_models": {}}))
    with connect(folder / "warehouse.duckdb") as con:
        ensure_ledger(con)
        con.execute(MARTS)
        build_layer(con, folder / "semantic_manifest.json", folder / "manifest.json")
    return folder / "warehouse.duckdb"


@pytest.fixture
def con(built):
    """A warehouse a test may change; what it did is rolled back."""
    with connect(built) as con:
        con.execute("begin")
        yield con
        con.execute("rollback")


def broken(con) -> dict[str, tuple[int | None, str | None]]:
    return {
        one.check.check_id: (one.broken, one.observed) for one in run_checks(con) if one.status != "passed"
    }


def test_clean_rows_keep_every_type(con):
    assert broken(con) == {}
    assert {one.check.check_id for one in run_checks(con)} == {
        "typed_base_uom_code", "typed_currency_of_amount_net_txn", "typed_currency_of_amount_tax_txn",
        "typed_currency_of_amount_gross_txn", "typed_cny_of_amount_net_cny", "typed_net_of_amount_net_txn",
        "typed_tax_of_amount_net_txn",
    }  # fmt: skip


PLANTED = {
    "typed_base_uom_code": "base_uom_code = 'piece'",  # kilograms are sold by the piece: two units in one product
    "typed_currency_of_amount_net_txn": "currency_code = null",
    "typed_cny_of_amount_net_cny": "amount_net_cny = amount_net_cny * 7.12",
    "typed_net_of_amount_net_txn": "amount_net_txn = 120, amount_gross_txn = 110, amount_tax_txn = -10, amount_net_cny = 120",
    "typed_tax_of_amount_net_txn": "amount_gross_txn = amount_gross_txn + 0.01",
}


@pytest.mark.parametrize("check", PLANTED)
def test_a_planted_row_is_found_and_named(con, check):
    con.execute(f"update marts.fct_line set {PLANTED[check]} where source_record = 'L1'")

    assert broken(con)[check] == (1, "erp/line/L1")


def test_a_unit_that_does_not_count_breaks_nothing(con):
    con.execute("update marts.fct_line set base_uom_code = 'box' where source_record in ('L4', 'L5')")

    assert broken(con) == {}


def test_a_sign_turned_on_one_side_is_no_smaller_net(con):
    con.execute(
        "update marts.fct_line set amount_net_txn = 20, amount_net_cny = 20 where source_record = 'L3'"
    )

    assert set(broken(con)) == {"typed_net_of_amount_net_txn", "typed_tax_of_amount_net_txn"}


def test_many_rows_are_counted_and_three_are_named(con):
    con.execute(
        "insert into marts.fct_line select invoice_date, is_posted, product_key, base_uom_code, currency_code, qty_base,"
        " amount_net_txn, amount_tax_txn, amount_gross_txn, amount_net_cny + 1, 'erp', 'line', 'X' || n"
        " from marts.fct_line, range(5) t(n) where source_record = 'L1'"
    )

    assert broken(con) == {"typed_cny_of_amount_net_cny": (5, "erp/line/X0, erp/line/X1, erp/line/X2")}


def test_what_breaks_a_type_stops_the_publish_and_names_the_rows(con):
    con.execute("update marts.fct_line set base_uom_code = 'piece' where source_record = 'L1'")
    record(con, "R1", NOON)

    (blocking,) = [rule for rule in verdict(con, "R1").blocking if rule.kind == "check"]
    assert blocking.name == "fct_line.typed_base_uom_code"
    assert blocking.detail == "1 rows: erp/line/L1"
    assert blocking.owner == "sales"


def test_a_check_that_cannot_be_asked_is_an_error_and_the_others_go_on(con):
    con.execute("alter table marts.fct_line drop column amount_tax_txn")

    said = {one.check.check_id: one.status for one in run_checks(con)}

    assert said["typed_tax_of_amount_net_txn"] == "error"
    assert said["typed_net_of_amount_net_txn"] == "passed"


def test_no_checks_at_all_is_an_error_and_blocks(con):
    con.execute("drop table metrics.fact_check")
    record(con, "R2", NOON)

    assert any(rule.state == "error" and "typed" in rule.name for rule in verdict(con, "R2").blocking)
