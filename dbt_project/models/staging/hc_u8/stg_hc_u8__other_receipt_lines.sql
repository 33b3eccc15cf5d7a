with source as (select * from {{ source("hc_u8", "other_receipt_line") }})

select
    line_id,
    document_id,
    line_no,
    item_code as source_product,
    cast(quantity as decimal(18, 4)) as move_qty,
    cast(pack_quantity as decimal(18, 6)) as pack_qty,
    cast(unit_cost as decimal(18, 6)) as unit_cost_cny,
    cast(cost as decimal(18, 4)) as cost_amount_cny
from source
where not _is_deleted
