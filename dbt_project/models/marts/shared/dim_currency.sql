with currencies as (select * from {{ ref("stg_hx_sales__currencies") }})

select
    {{ key(["'currency'", "currency_code"]) }} as currency_key,
    currency_code,
    currency_name,
    decimal_places,
    currency_code = '{{ var("reporting_currency") }}' as is_reporting_currency,
    {{ provenance("hx_sales", "currency_currency", "currency_id") }}
from currencies
union all by name
select
    'unmatched' as currency_key,
    'unmatched' as currency_code,
    '未匹配' as currency_name,
    false as is_reporting_currency,
    {{ provenance("tieout", "special_member", "'unmatched'") }}
