-- Money is CNY, tax included; what is to be paid includes freight. Buyers are masked by the platform.
with source as (select * from {{ source("hc_shop", "order") }})

select
    o_id as order_id,
    so_id as order_no,
    shop_id,
    shop_name,
    shop_buyer_id as source_buyer,
    cast(wms_co_id as text) as source_warehouse,
    status as source_status,
    'CNY' as currency_code,
    cast(pay_amount as decimal(18, 2)) as stated_amount_gross_txn,
    cast(freight as decimal(18, 2)) as freight_amount_gross_txn,
    timezone('Asia/Shanghai', order_date) as ordered_at,
    timezone('Asia/Shanghai', pay_date) as paid_at,
    timezone('Asia/Shanghai', send_date) as shipped_at,
    timezone('Asia/Shanghai', modified) as changed_at
from source
where not _is_deleted
