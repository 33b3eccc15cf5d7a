-- Finance's rates govern every department. The reporting currency counts one, from the beginning.
with rates as (select * from {{ ref("stg_hx_finance__exchange_rates") }})

select currency_code, rate_date, rate
from rates
where currency_code <> '{{ var("reporting_currency") }}'
union all
select
    '{{ var("reporting_currency") }}' as currency_code,
    cast('0001-01-01' as date) as rate_date,
    cast(1 as decimal(18, 8)) as rate
