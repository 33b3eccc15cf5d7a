with source as (select * from {{ source("hc_shop", "settlement") }})

select
    settlement_id as settlement_no,
    shop_id,
    begin_date as first_date,
    end_date as last_date,
    pay_date as payment_date,
    'CNY' as currency_code,
    cast(order_amount as decimal(18, 2)) as order_amount_gross_txn,
    cast(refund_amount as decimal(18, 2)) as refund_amount_gross_txn,
    cast(fee_amount as decimal(18, 2)) as fee_amount_txn,
    cast(pay_amount as decimal(18, 2)) as payment_amount_txn
from source
where not _is_deleted
