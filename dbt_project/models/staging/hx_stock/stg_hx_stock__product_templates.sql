with source as (select * from {{ source("hx_stock", "product_template") }})

select id as template_id, name as product_name, type as product_kind, default_uom as uom_id
from source
where not _is_deleted
