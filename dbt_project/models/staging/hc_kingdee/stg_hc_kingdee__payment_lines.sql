-- Money paid (付款单): one row per invoice that a payment settles, the head repeated on each.
with source as (select * from {{ source("hc_kingdee", "payment_line") }})

select
    payment_id,
    line_id as payment_line_id,
    payment_no,
    line_no,
    supplier_code as source_supplier,
    settles_no as settled_invoice_no,
    currency_code,
    status_code as source_status,
    payment_date,
    cast(settled_amount as decimal(18, 4)) as settled_amount_txn,
    -- of the whole payment, repeated on every line: never summed
    cast(payment_amount as decimal(18, 4)) as stated_payment_amount_txn,
    timezone('Asia/Shanghai', approved_at) as approved_at,
    timezone('Asia/Shanghai', created_at) as created_at,
    timezone('Asia/Shanghai', modified_at) as changed_at
from source
where not _is_deleted
