with source as (select * from {{ source("hx_finance", "invoice_tax") }})

select
    id as invoice_tax_id,
    invoice as invoice_id,
    tax_name,
    account_code,
    cast(base as decimal(18, 2)) as tax_base_txn,
    cast(amount as decimal(18, 2)) as tax_amount_txn
from source
where not _is_deleted
