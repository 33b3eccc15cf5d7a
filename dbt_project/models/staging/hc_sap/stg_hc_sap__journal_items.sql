-- Signed: a debit is positive, a credit negative, as the side beside it says.
with source as (select * from {{ source("hc_sap", "journal_item") }})

select
    company_code as source_company,
    accounting_document as accounting_document_no,
    cast(accounting_document_item as integer) as line_no,
    accounting_document_type as source_document_type,
    cast(fiscal_year as integer) as fiscal_year,
    cast(fiscal_period as integer) as fiscal_period_number,
    gl_account as source_account,
    customer as source_customer,
    supplier as source_supplier,
    document_reference_id as source_document,
    document_item_text as line_description,
    debit_credit_code as source_side,
    company_code_currency as currency_code,
    posting_date as entry_date,
    cast(amount_in_company_code_currency as decimal(18, 2)) as amount_txn
from source
where not _is_deleted
