with source as (select * from {{ source("hc_mes", "output") }})

select
    output_no,
    line_no,
    work_order_no,
    product_code as source_product,
    uom as source_uom,
    cast(good_quantity as decimal(18, 4)) as produced_qty,
    cast(scrap_quantity as decimal(18, 4)) as scrapped_qty,
    reported_at,
    updated_at as changed_at
from source
where not _is_deleted
