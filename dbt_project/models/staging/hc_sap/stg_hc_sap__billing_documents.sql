-- A credit memo (type G2) has positive amounts, here as there: its sign is in the type.
with source as (select * from {{ source("hc_sap", "billing_document") }})

select
    billing_document as invoice_no,
    billing_document_type as invoice_type,
    company_code as source_company,
    payer_party as source_customer,
    transaction_currency as currency_code,
    coalesce(billing_document_is_cancelled, false) as is_cancelled,
    cancelled_billing_document as cancelled_invoice_no,
    accounting_document as accounting_document_no,
    cast(fiscal_year as integer) as fiscal_year,
    billing_document_date as invoice_date,
    creation_date as created_date,
    cast(total_net_amount as decimal(18, 2)) as stated_amount_net_txn,
    cast(tax_amount as decimal(18, 2)) as stated_amount_tax_txn,
    cast(total_gross_amount as decimal(18, 2)) as stated_amount_gross_txn,
    last_change_date_time as changed_at
from source
where not _is_deleted
