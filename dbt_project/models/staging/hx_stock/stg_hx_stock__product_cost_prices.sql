with source as (select * from {{ source("hx_stock", "product_cost_price") }})

select product as product_id, cast(cost_price as decimal(18, 4)) as average_cost_cny
from source
where not _is_deleted
