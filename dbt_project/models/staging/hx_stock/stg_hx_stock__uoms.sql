with source as (select * from {{ source("hx_stock", "product_uom") }})

select
    id as uom_id,
    name as uom_text,
    symbol as uom_symbol,
    category as uom_category_id,
    cast(factor as decimal(24, 12)) as factor
from source
where not _is_deleted
