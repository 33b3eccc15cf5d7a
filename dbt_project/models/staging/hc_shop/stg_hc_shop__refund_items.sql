with source as (select * from {{ source("hc_shop", "refund_item") }})

select
    as_id as refund_id,
    asi_id as line_id,
    sku_id as source_product,
    'CNY' as currency_code,
    cast(qty as decimal(18, 4)) as refund_qty,
    cast(amount as decimal(18, 2)) as refund_amount_gross_txn,
    timezone('Asia/Shanghai', modified) as changed_at
from source
where not _is_deleted
