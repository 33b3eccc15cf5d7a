-- The stated amounts are the ERP's own cache: null on drafts, so they are only ever compared, never
-- summed.
with source as (select * from {{ source("hx_sales", "sale_sale") }})

select
    id as order_id,
    cast(number as text) as order_no,
    state as source_status,
    party as customer_id,
    currency as currency_id,
    cast(company as text) as source_company,
    cast(warehouse as text) as source_warehouse,
    payment_term as payment_term_id,
    invoice_method,
    shipment_state as delivery_status,
    invoice_state as invoicing_status,
    reference as customer_reference,
    origin as source_document,
    cast(sale_date as date) as order_date,
    cast(untaxed_amount_cache as decimal(18, 2)) as stated_amount_net_txn,
    cast(tax_amount_cache as decimal(18, 2)) as stated_amount_tax_txn
from source
where not _is_deleted
