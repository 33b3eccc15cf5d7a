with source as (select * from {{ source("hx_finance", "invoice_line") }})

select
    id as invoice_line_id,
    invoice as invoice_id,
    invoice_type,
    product_code,
    uom_name as uom_text,
    account_code,
    origin as source_document,
    cast(quantity as decimal(18, 4)) as invoice_qty,
    cast(unit_price as decimal(18, 4)) as unit_price_txn
from source
where not _is_deleted
