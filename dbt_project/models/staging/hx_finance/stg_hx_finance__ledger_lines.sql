with source as (select * from {{ source("hx_finance", "ledger_line") }})

select
    id as ledger_line_id,
    move as ledger_move_id,
    coalesce(account_code, 'id:' || account_id) as account_code,
    party_code,
    second_currency_code,
    description as line_description,
    origin as line_source_document,
    reconciliation as reconciliation_id,
    cast(debit as decimal(18, 2)) as debit_amount_cny,
    cast(credit as decimal(18, 2)) as credit_amount_cny,
    cast(amount_second_currency as decimal(18, 2)) as second_currency_amount,
    cast(maturity_date as date) as due_date
from source
where not _is_deleted
