with source as (select * from {{ source("hx_stock", "stock_inventory_line") }})

select
    id as stock_count_line_id,
    inventory as stock_count_id,
    product as product_id,
    cast(expected_quantity as decimal(18, 4)) as expected_qty,
    cast(quantity as decimal(18, 4)) as counted_qty
from source
where not _is_deleted
