with source as (select * from {{ source("hc_shop", "refund") }})

select
    as_id as refund_id,
    outer_as_id as refund_no,
    o_id as order_id,
    so_id as order_no,
    shop_id,
    type as source_refund_type,
    status as source_status,
    good_status as source_goods_status,
    'CNY' as currency_code,
    cast(refund as decimal(18, 2)) as refund_amount_gross_txn,
    timezone('Asia/Shanghai', created) as created_at,
    timezone('Asia/Shanghai', modified) as changed_at
from source
where not _is_deleted
