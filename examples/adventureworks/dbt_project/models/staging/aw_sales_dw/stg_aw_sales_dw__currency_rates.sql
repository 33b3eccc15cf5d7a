-- Dollars per unit of a currency, as a binary fraction; operations keep units per dollar, to four decimals.
select
    rates.currency_key || '|' || rates.rate_date as rate_id,
    {{ aw_day("rates.rate_date") }} as rate_date,
    currencies.currency_code,
    cast(1 / rates.average_rate as decimal(19, 4)) as price
from {{ source("aw_sales_dw", "currency_rate") }} as rates
left join
    {{ source("aw_sales_dw", "currency") }} as currencies on rates.currency_key = currencies.currency_key
where not rates._is_deleted
