-- Every factor has a reason, every unit without one is a listed case, and no day has two: a row here was
-- guessed,
-- lost, or ruled twice.
with

    conversions as (select * from {{ ref("int_product_unit_conversions") }}),
    printed as (select * from {{ ref("int_product_units__printed") }}),
    cases as (select * from {{ ref("int_product_units__unconverted") }})

select
    conversions.source_system,
    conversions.source_product,
    conversions.source_uom,
    'no reason' as what_is_wrong
from conversions
left join
    cases
    on conversions.source_system = cases.source_system
    and conversions.source_product = cases.source_product
    and conversions.source_uom = cases.source_uom
where
    (conversions.factor is null) <> (conversions.factor_source is null)
    or conversions.factor <= 0
    or (conversions.factor is null and cases.source_uom is null)
union all
select printed.source_system, printed.source_product, printed.source_uom, 'lost'
from printed
left join
    conversions
    on printed.source_system = conversions.source_system
    and printed.source_product = conversions.source_product
    and printed.source_uom = conversions.source_uom
where conversions.source_uom is null
union all
select source_system, source_product, source_uom, 'twice'
from conversions
group by source_system, source_product, source_uom, valid_from
having count(*) > 1
