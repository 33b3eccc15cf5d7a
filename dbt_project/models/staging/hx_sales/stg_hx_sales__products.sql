with source as (select * from {{ source("hx_sales", "product_product") }})

select id as product_id, code as product_code, template as template_id, active as is_active
from source
where not _is_deleted
