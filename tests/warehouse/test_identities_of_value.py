"""Why stock at average cost and the ledger differ: two rates and two roundings, worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import jinja2
import pytest

from tieout.tie import generate, results
from tieout.tie.claims import read_claim

PROJECT = Path(__file__).parents[2]
CLAIM = read_claim(PROJECT / "expectations" / "reconciliation" / "stock_value_equals_ledger.yaml")

# P1: 3 pieces for 10.00 (average 3.3333), 1 issued at 3.33: 6.67 in the ledger, 2 x 3.3333 = 6.6666 in stock.
# P2: 10 pieces for 100 USD on a day of 7.10 (710.00 in the ledger); the last known rate is 7.00 (70.00 a piece).
MARTS = """
create schema marts; create schema tie;
create table marts.dim_product as
select * from (values ('P1', 'P1', '甲', 3.3333::decimal(18, 4)), ('P2', 'P2', '乙', 70.0000::decimal(18, 4)))
    as products (product_key, product_code, product_name, average_cost_cny);
create table marts.int_exchange_rates as
select * from (values ('CNY', date '0001-01-01', 1.0::decimal(18, 12)),
    ('USD', date '2025-10-01', 0.140845070423::decimal(18, 12)), ('USD', date '2026-09-01', 0.142857142857::decimal(18, 12)))
    as rates (currency_code, rate_date, rate);
create table marts.fct_stock_move as
select *, 'HX' as company_code, true as is_done, 'wms' as source_system, 'move' as source_stream, cast(stock_move_id as text) as source_record
from (values
    (1, 'P1', 'supplier', 'storage', 'CNY', 3.0000::decimal(18, 4), 3.3333::decimal(18, 4)),
    (2, 'P1', 'storage', 'customer', 'CNY', 1.0000::decimal(18, 4), 9.0000::decimal(18, 4)),
    (3, 'P2', 'supplier', 'storage', 'USD', 10.0000::decimal(18, 4), 10.0000::decimal(18, 4)))
    as moves (stock_move_id, product_key, from_location_type, to_location_type, currency_code, move_qty, unit_price_txn);
create table marts.fct_ledger_entry_line as
select *, 'HX' as company_code, true as is_stock_balance, 'books' as source_system, 'line' as source_stream,
    cast(stock_move_id as text) as source_record
from (values (1, 10.00::decimal(18, 2)), (2, -3.33::decimal(18, 2)), (3, 710.00::decimal(18, 2)))
    as lines (stock_move_id, balance_amount_cny);
create table marts.fct_stock_balance_day as
select *, 'HX' as company_code, date '2025-10-31' as balance_date, 'wms' as source_system, 'balance' as source_stream, product_key as source_record
from (values ('P1', 2.0000::decimal(18, 4), 1.0000::decimal(18, 4)), ('P2', 10.0000::decimal(18, 4), 0.0000::decimal(18, 4)))
    as balances (product_key, closing_qty, out_qty);
"""


def tie(con: duckdb.DuckDBPyConnection) -> results.IdentityResult:
    def relation(name: str) -> str:
        return f"{'tie' if name.startswith(('tie_', 'identity_')) else 'marts'}.{name}"

    sql = (PROJECT / "dbt_project" / "models" / "tie" / "tie_stock_value_effect.sql").read_text("utf-8")
    rendered = jinja2.Template(sql).render(ref=relation, var={"reporting_currency": "CNY"}.__getitem__)
    con.execute(f"create or replace table tie.tie_stock_value_effect as {rendered}")
    for name, text in [
        (CLAIM.model, generate.identity_sql(CLAIM)),
        ("identity_break", generate.break_sql((CLAIM,))),
        ("identity_result", generate.result_sql((CLAIM,))),
    ]:
        con.execute(f"create or replace table tie.{name} as {generate.resolved(text, relation)}")
    return results.identity_results(con)[0]


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute(MARTS)
    return con


def test_two_rates_are_currency_and_fractions_of_a_cent_are_rounding(con):
    found = tie(con)

    assert found.left_total == Decimal("706.6666")
    assert found.right_total == Decimal("716.67")
    assert found.status == "explained"
    assert {(b.group_key, b.cause): b.cause_amount for b in results.breaks(con)} == {
        ("P2", "currency"): Decimal("10.00"),
        ("P1", "rounding"): Decimal("0.0034"),
    }
    assert results.breaks(con, group_key="P2")[0].evidence == ("wms/move/3",)


@pytest.mark.parametrize(
    "fault",
    [
        "update marts.fct_ledger_entry_line set balance_amount_cny = 10.50 where stock_move_id = 1",
        "delete from marts.fct_ledger_entry_line where stock_move_id = 2",
        "update marts.dim_product set average_cost_cny = 3.4 where product_key = 'P1'",
        "update marts.fct_stock_balance_day set closing_qty = 3 where product_key = 'P1'",
    ],
)
def test_what_rounding_cannot_reach_stays_unexplained(con, fault):
    con.execute(fault)

    assert tie(con).status == "broken"
    assert results.breaks(con)[0].group_key == "P1"
