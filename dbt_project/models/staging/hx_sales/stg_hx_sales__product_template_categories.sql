with source as (select * from {{ source("hx_sales", "product_template_product_category") }})

select id as template_category_id, template as template_id, category as category_id
from source
where not _is_deleted
