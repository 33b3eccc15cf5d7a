with source as (select * from {{ source("hc_u8", "current_stock") }})

select
    warehouse_code as source_warehouse,
    item_code as source_product,
    batch as batch_no,
    cast(quantity as decimal(18, 4)) as stock_qty,
    cast(pack_quantity as decimal(18, 6)) as pack_qty,
    cast(incoming_quantity as decimal(18, 4)) as incoming_qty,
    cast(outgoing_quantity as decimal(18, 4)) as outgoing_qty
from source
where not _is_deleted
