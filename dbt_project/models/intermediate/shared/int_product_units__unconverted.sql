-- One row per unit of a product that does not convert to the product's base unit, with why: a case for the
-- data
-- steward (`tieout standards check` lists it). Quantities in it have no base quantity until then.
with conversions as (select * from {{ ref("int_product_unit_conversions") }})

select source_system, source_product, product_key, source_uom, uom_code, base_uom_code, problem, line_count
from conversions
where problem is not null
