-- What finance says a currency is worth, for the whole group, as the rest of the platform counts it: units of
-- the currency per one of the reporting currency. A day without a rate takes the last one before it.
with rates as (select * from {{ ref("stg_hc_kingdee__exchange_rates") }})

select
    currency_code, valid_from as rate_date, price as cny_per_unit, cast(1 / price as decimal(18, 12)) as rate
from rates
where to_currency_code = '{{ var("reporting_currency") }}'
