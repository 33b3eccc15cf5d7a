with source as (select * from {{ source("hx_sales", "product_template") }})

select id as template_id, name as product_name, type as product_kind, account_category as category_id
from source
where not _is_deleted
