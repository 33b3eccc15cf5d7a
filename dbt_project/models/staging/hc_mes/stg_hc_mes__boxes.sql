-- The unit is that of the line of the shipment.
with source as (select * from {{ source("hc_mes", "box") }})

select
    box_no,
    outbound_no as shipment_no,
    line_no,
    product_code as source_product,
    cast(quantity as decimal(18, 4)) as box_qty,
    updated_at as changed_at
from source
where not _is_deleted
