with source as (select * from {{ source("hc_kingdee", "gl_voucher_line") }})

select
    voucher_id,
    line_id as ledger_line_id,
    book_code as source_book,
    voucher_word,
    voucher_no,
    line_no,
    fiscal_year,
    fiscal_period as fiscal_period_number,
    account_code as source_account,
    customer_code as source_customer,
    supplier_code as source_supplier,
    department_code as source_department,
    source_no as source_document,
    explanation as line_description,
    currency_code,
    status_code as source_status,
    voucher_date as entry_date,
    cast(amount_txn as decimal(18, 4)) as amount_txn,
    cast(debit as decimal(18, 4)) as debit_amount_cny,
    cast(credit as decimal(18, 4)) as credit_amount_cny,
    timezone('Asia/Shanghai', created_at) as created_at,
    timezone('Asia/Shanghai', modified_at) as changed_at
from source
where not _is_deleted
