with source as (select * from {{ source("hx_finance", "ledger_move") }})

select
    id as ledger_move_id,
    number as ledger_move_no,
    journal_code,
    period as fiscal_period,
    description as move_description,
    origin as source_document,
    state as source_status,
    cast(date as date) as entry_date,
    cast(post_date as date) as post_date
from source
where not _is_deleted
