with source as (select * from {{ source("hx_sales", "product_list_price") }})

select template as template_id, cast(list_price as decimal(18, 4)) as list_price_cny
from source
where not _is_deleted
