-- One row per unit of measure. A pack (箱, 盒) has no factor of its own: how much is in it depends on the
-- product
-- (intermediate.int_product_unit_conversions).
with

    units as (select * from {{ ref("units") }}),
    uoms as (select * from {{ ref("uoms") }}),

    -- several spellings of one unit have one factor (tests/assert_one_factor_per_unit.sql)
    factors as (

        select uom_code, min(base_uom_code) as base_uom_code, min(factor) as factor
        from uoms
        group by uom_code

    )

select
    {{ key(["'unit'", "units.uom_code"]) }} as unit_key,
    units.uom_code,
    units.name_zh as unit_name,
    units.name_en as unit_name_en,
    units.dimension as dimension_code,
    units.unece_code,
    factors.base_uom_code,
    factors.factor as factor_to_base,
    factors.factor is null as is_size_by_product,
    {{ provenance("tieout", "units", "units.uom_code") }}
from units
left join factors on units.uom_code = factors.uom_code
union all by name
select
    'unmatched' as unit_key,
    'unmatched' as uom_code,
    '未匹配' as unit_name,
    'Unmatched' as unit_name_en,
    'unmatched' as dimension_code,
    false as is_size_by_product,
    {{ provenance("tieout", "special_member", "'unmatched'") }}
