with source as (select * from {{ source("hx_finance", "invoice") }})

select
    id as invoice_id,
    number as invoice_no,
    type as invoice_type,
    state as source_status,
    party_code,
    currency_code,
    journal_code,
    account_code as control_account_code,
    payment_term,
    move as ledger_move_id,
    reference as partner_reference,
    -- the accounting date wins where finance set one
    cast(coalesce(accounting_date, invoice_date) as date) as invoice_date,
    cast(untaxed_amount_cache as decimal(18, 2)) as stated_amount_net_txn,
    cast(tax_amount_cache as decimal(18, 2)) as stated_amount_tax_txn
from source
where not _is_deleted
