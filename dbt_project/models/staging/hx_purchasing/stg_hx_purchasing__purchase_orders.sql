with source as (select * from {{ source("hx_purchasing", "purchase_order") }})

select
    order_no,
    supplier_code,
    currency_code,
    warehouse_code,
    payment_term,
    status as source_status,
    invoice_method,
    receipt_status,
    invoice_status as invoicing_status,
    cast(order_date as date) as order_date,
    cast(amount_net as decimal(18, 2)) as stated_amount_net_txn,
    cast(amount_tax as decimal(18, 2)) as stated_amount_tax_txn,
    cast(amount_gross as decimal(18, 2)) as stated_amount_gross_txn
from source
where not _is_deleted
