with source as (select * from {{ source("hc_mes", "material_issue") }})

select
    issue_no,
    line_no,
    work_order_no,
    material_code as source_product,
    uom as source_uom,
    cast(quantity as decimal(18, 4)) as issued_qty,
    issued_at,
    updated_at as changed_at
from source
where not _is_deleted
