with source as (select * from {{ source("hc_shop", "order_item") }})

select
    o_id as order_id,
    oi_id as line_id,
    sku_id as source_product,
    refund_status,
    'CNY' as currency_code,
    cast(qty as decimal(18, 4)) as order_qty,
    cast(price as decimal(18, 2)) as unit_price_gross_txn,
    cast(amount as decimal(18, 2)) as order_amount_gross_txn,
    timezone('Asia/Shanghai', modified) as changed_at
from source
where not _is_deleted
