-- Units of the currency per one of the company's currency.
with source as (select * from {{ source("hx_finance", "exchange_rate") }})

select currency_code, cast(date as date) as rate_date, cast(rate as decimal(18, 8)) as rate
from source
where not _is_deleted
