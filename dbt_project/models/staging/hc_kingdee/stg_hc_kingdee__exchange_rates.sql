-- The price of one unit of `currency_code` in `to_currency_code`, from a day on.
with source as (select * from {{ source("hc_kingdee", "exchange_rate") }})

select
    rate_id,
    from_currency_code as currency_code,
    to_currency_code,
    cast(rate as decimal(18, 8)) as price,
    valid_from,
    valid_to
from source
where not _is_deleted and coalesce(forbidden_code = 'A', true)
