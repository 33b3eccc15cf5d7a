-- A return is an order with negative quantities.
with source as (select * from {{ source("hx_sales", "sale_line") }})

select
    id as line_id,
    sale as order_id,
    type as line_type,
    product as product_id,
    unit as uom_id,
    cast(quantity as decimal(18, 4)) as order_qty,
    cast(unit_price as decimal(18, 4)) as unit_price_txn
from source
where not _is_deleted
