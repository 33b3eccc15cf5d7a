-- The root of the chart has no code; nothing is ever booked on it.
with source as (select * from {{ source("hx_finance", "account") }})

select
    id as account_id,
    coalesce(code, 'id:' || id) as account_code,
    name as account_name,
    parent_code as parent_account_code,
    type_name as account_type_name,
    statement as statement_code,
    is_receivable,
    is_payable,
    is_revenue,
    is_expense,
    is_stock,
    closed as is_closed
from source
where not _is_deleted
