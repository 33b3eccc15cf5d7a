with source as (select * from {{ source("hc_crm", "purchase_request_line") }})

select
    request_id,
    line_id,
    material_code as source_product,
    uom as source_uom,
    cast(quantity as decimal(18, 4)) as request_qty,
    cast(timezone('Asia/Shanghai', needed_at) as date) as needed_date
from source
where not _is_deleted
