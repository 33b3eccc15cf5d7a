with source as (select * from {{ source("hc_u8", "purchase_order_line") }})

select
    line_id,
    order_id,
    line_no,
    item_code as source_product,
    due_date as planned_receipt_date,
    cast(quantity as decimal(18, 4)) as order_qty,
    cast(pack_quantity as decimal(18, 6)) as pack_qty,
    cast(unit_price_net as decimal(18, 6)) as unit_price_txn,
    cast(unit_price_gross as decimal(18, 6)) as unit_price_gross_txn,
    cast(tax_percent / 100 as decimal(9, 4)) as tax_rate,
    cast(amount_net as decimal(18, 4)) as order_amount_net_txn,
    cast(tax_amount as decimal(18, 4)) as order_amount_tax_txn,
    cast(amount_gross as decimal(18, 4)) as order_amount_gross_txn,
    -- what came with an arrival note and what came without are counted apart
    cast(
        coalesce(received_straight, 0) + coalesce(received_after_arrival, 0) as decimal(18, 4)
    ) as stated_received_qty,
    cast(invoiced_quantity as decimal(18, 4)) as stated_invoiced_qty
from source
where not _is_deleted
