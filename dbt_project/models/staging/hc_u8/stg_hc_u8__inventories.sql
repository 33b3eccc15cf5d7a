-- The unit of every quantity in this system is the item's main unit.
with source as (select * from {{ source("hc_u8", "inventory") }})

select
    item_code as source_product,
    item_name as product_name,
    spec as specification,
    old_code,
    category_code as source_category,
    case category_code when '01' then 'material' when '02' then 'finished' end as product_kind,
    unit_name as source_uom,
    pack_unit_name as source_pack_uom,
    is_purchased,
    is_made,
    is_sold,
    since as used_since_date,
    cast(units_per_pack as decimal(18, 6)) as units_per_pack,
    cast(standard_cost as decimal(18, 6)) as standard_cost_cny
from source
where not _is_deleted
