-- What a US dollar is worth, day by day, by Adventure Works' own list, which begins 2022-05-30: the fifteen
-- order lines before that day take its first price.
with

    rates as (
        select *
        from {{ ref("stg_aw_oltp__currency_rates") }}
        where from_currency_code = 'USD' and to_currency_code = '{{ var("reporting_currency") }}'
    )

select from_currency_code as currency_code, rate_date, price as cny_per_unit
from rates
union all
select from_currency_code, date '1900-01-01', arg_min(price, rate_date)
from rates
group by from_currency_code
