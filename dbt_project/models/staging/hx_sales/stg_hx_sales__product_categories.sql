with source as (select * from {{ source("hx_sales", "product_category") }})

select id as category_id, name as category_name
from source
where not _is_deleted
