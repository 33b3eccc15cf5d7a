-- What the platform pays out for a week: orders less refunds less its fees.
with settlements as (select * from {{ ref("stg_hc_shop__settlements") }})

select
    {{ key(["'platform_settlement'", "'hc_shop'", "settlement_no"]) }} as platform_settlement_key,
    settlement_no,
    first_date,
    last_date,
    payment_date,
    currency_code,
    order_amount_gross_txn,
    refund_amount_gross_txn,
    fee_amount_txn,
    payment_amount_txn,
    case
        when currency_code = '{{ var("reporting_currency") }}' then payment_amount_txn
    end as payment_amount_cny,
    {{ of_company("HC") }},
    {{ provenance("hc_shop", "settlement", "settlement_no") }}
from settlements
