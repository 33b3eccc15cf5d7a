with source as (select * from {{ source("hx_purchasing", "purchase_order_line") }})

select
    line_id,
    order_no,
    product_code,
    product_name,
    uom_name as uom_text,
    cast(quantity as decimal(18, 4)) as order_qty,
    cast(unit_price as decimal(18, 4)) as unit_price_txn,
    cast(tax_rate as decimal(9, 4)) as tax_rate
from source
where not _is_deleted
