"""Units convert per product, by a ruling, the item's card or the list; what none of them says is a case, never one.

Nine small products, their factors worked out by hand.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import jinja2
import pytest

MODELS = Path(__file__).parents[2] / "dbt_project" / "models"
TABLES = """
create table int_product_units__printed as from (values
    ('hc_u8', 'BOLT', '只', 5), ('hc_u8', 'BOLT', '箱', 2),      -- a box of 500, on its card
    ('hx_stock', 'NUT', '箱', 3),                                 -- a box of 12, by the list
    ('hc_u8', 'STEEL', 'kg', 9), ('hc_u8', 'STEEL', '吨', 4),    -- card and list agree: 1000
    ('hc_u8', 'WIRE', '吨', 1),                                  -- its card says 100
    ('hc_u8', 'TUBE', '支', 7),                                  -- a bar of 6 m, though 支 is a piece elsewhere
    ('hc_u8', 'CABLE', '盘', 1),                                 -- a coil: nobody knows
    ('hc_u8', 'PAINT', '桶', 2),                                 -- its card counts litres, the product kilograms
    ('hc_mes', 'PRESS', 'SET', 8), ('hc_mes', 'KIT', 'SET', 6), ('hc_mes', 'PAIR', 'SET', 1),
    ('hc_mes', 'GHOST', 'PC', 1), ('hc_mes', 'VISIT', '项', 1)) as t (source_system, source_product, source_uom, line_count);
create table stg_hc_u8__inventories as from (values
    ('BOLT', '只', '箱', 500), ('STEEL', 'kg', '吨', 1000), ('WIRE', 'kg', '吨', 100), ('TUBE', '米', '支', 6),
    ('CABLE', '米', '盘', null), ('PAINT', 'l', '桶', 15)) as t (source_product, source_uom, source_pack_uom, units_per_pack);
create table dim_product as from (values
    ('k_bolt', 'piece'), ('k_nut', 'piece'), ('k_steel', 'kg'), ('k_wire', 'kg'), ('k_tube', 'm'), ('k_cable', 'm'),
    ('k_paint', 'kg'), ('k_press', 'piece'), ('k_kit', 'set'), ('k_pair', 'piece'), ('k_visit', 'unmatched'))
    as t (product_key, base_uom_code);
create table crosswalk as select 'product' as entity, * from (values
    ('hc_u8', 'BOLT', 'k_bolt'), ('hx_stock', 'NUT', 'k_nut'), ('hc_u8', 'STEEL', 'k_steel'), ('hc_u8', 'WIRE', 'k_wire'),
    ('hc_u8', 'TUBE', 'k_tube'), ('hc_u8', 'CABLE', 'k_cable'), ('hc_u8', 'PAINT', 'k_paint'), ('hc_mes', 'PRESS', 'k_press'),
    ('hc_mes', 'KIT', 'k_kit'), ('hc_mes', 'PAIR', 'k_pair'), ('hc_mes', 'VISIT', 'k_visit'))
    as t (source_system, source_key, master_key);
create table uoms as from (values
    ('只', 'piece', 'piece', 1::decimal(24, 12)), ('PC', 'piece', 'piece', 1), ('支', 'piece', 'piece', 1), ('箱', 'box_12', 'piece', 12),
    ('kg', 'kg', 'kg', 1), ('吨', 't', 'kg', 1000), ('米', 'm', 'm', 1), ('l', 'l', 'l', 1), ('SET', 'set', 'set', 1))
    as t (uom_text, uom_code, base_uom_code, factor);
create table code_map as select *, null::date as valid_to from (values
    ('hc_u8', 'uom', '箱', 'pack_box', null::date), ('hc_u8', 'uom', '桶', 'pack_box', null::date),
    ('hc_u8', 'uom', '桶', 'pack_drum', date '2025-01-01'), ('hc_mes', 'uom', '项', 'item', null::date),
    ('hc_u8', 'currency', 'kg', 'CNY', null::date)) as t (source_system, code_list, source_code, standard_code, valid_from);
create table product_unit_conversions as from (values
    ('hc_mes', null, 'SET', 'piece', 1::decimal(24, 12), null::date, date '2024-12-31'),
    ('hc_mes', 'PAIR', 'SET', 'piece', 2::decimal(24, 12), null::date, null::date),
    ('hc_mes', null, 'SET', 'piece', 3::decimal(24, 12), date '2025-01-01', null::date))
    as t (source_system, source_product, source_uom, to_uom_code, factor, valid_from, valid_to);
"""


@pytest.fixture
def con():
    with duckdb.connect() as opened:
        opened.execute(TABLES)
        for name in ("int_product_unit_conversions", "int_product_units__unconverted"):
            text = (MODELS / "intermediate" / "shared" / f"{name}.sql").read_text("utf-8")
            parts = lambda names: f"md5(concat_ws('|', {', '.join(names)}))"  # noqa: E731
            opened.execute(f"create table {name} as {jinja2.Template(text).render(ref=str, key=parts)}")
        yield opened


def factors(con: duckdb.DuckDBPyConnection, product: str, unit: str) -> list[tuple]:
    return con.execute(
        "select factor, factor_source, problem from int_product_unit_conversions"
        " where source_product = ? and source_uom = ? order by valid_from nulls first",
        [product, unit],
    ).fetchall()


@pytest.mark.parametrize(
    ("product", "unit", "factor", "reason"),
    [
        ("BOLT", "只", 1, "unit_list"),
        ("BOLT", "箱", 500, "item_card"),
        ("NUT", "箱", 12, "unit_list"),  # the same word, another system
        ("STEEL", "kg", 1, "unit_list"),
        ("STEEL", "吨", 1000, "item_card"),
        ("TUBE", "支", 6, "item_card"),
        ("KIT", "SET", 1, "unit_list"),
    ],
)
def test_the_factor_is_that_of_the_product(con, product, unit, factor, reason):
    assert factors(con, product, unit) == [(Decimal(factor), reason, None)]


def test_a_ruling_holds_from_its_day_and_one_for_the_product_goes_before_one_for_all(con):
    assert factors(con, "PRESS", "SET") == [(Decimal(1), "ruling", None), (Decimal(3), "ruling", None)]
    assert factors(con, "PAIR", "SET") == [(Decimal(2), "ruling", None)]


def test_what_nobody_says_is_a_case_and_never_one(con):
    found = con.execute(
        "select source_product, source_uom, problem, line_count from int_product_units__unconverted order by 1"
    ).fetchall()
    assert found == [
        ("CABLE", "盘", "unit_unknown", 1),
        ("GHOST", "PC", "product_unknown", 1),
        ("PAINT", "桶", "no_conversion", 2),
        ("VISIT", "项", "no_base_unit", 1),
        ("WIRE", "吨", "card_contradicts_list", 1),
    ]
    assert factors(con, "CABLE", "盘") == [(None, None, "unit_unknown")]
    assert factors(con, "PAINT", "桶") == [(None, None, "no_conversion")]


def test_one_row_a_unit_and_a_day_and_no_printed_unit_is_lost(con):
    rows = con.execute(
        "select count(*), count(distinct conversion_key), count(distinct (source_system, source_product, source_uom))"
        " from int_product_unit_conversions"
    ).fetchone()
    assert rows == (15, 15, 14)  # PRESS has a second period


def test_the_last_word_on_a_text_holds(con):
    assert con.execute(
        "select uom_code from int_product_unit_conversions where source_product = 'PAINT'"
    ).fetchone() == ("pack_drum",)
