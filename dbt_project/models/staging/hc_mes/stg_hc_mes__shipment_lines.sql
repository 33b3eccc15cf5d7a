with source as (select * from {{ source("hc_mes", "shipment_line") }})

select
    outbound_no as shipment_no,
    line_no,
    order_line_no,
    product_code as source_product,
    uom as source_uom,
    cast(quantity as decimal(18, 4)) as ship_qty,
    updated_at as changed_at
from source
where not _is_deleted
