-- Prices are net, taxes come on top. SAP quotes the order name without its `#`.
with source as (select * from {{ source("hc_shopify", "web_order") }})

select
    id as order_id,
    ltrim(name, '#') as order_no,
    email as buyer_email,
    display_financial_status as payment_status,
    display_fulfillment_status as source_status,
    currency_code,
    taxes_included as is_tax_included,
    shipping_country as country_code,
    shipping_city as city,
    cast(subtotal_price as decimal(18, 2)) as stated_amount_net_txn,
    cast(total_tax as decimal(18, 2)) as stated_amount_tax_txn,
    cast(total_price as decimal(18, 2)) as stated_amount_gross_txn,
    created_at as ordered_at,
    cancelled_at,
    updated_at as changed_at
from source
where not _is_deleted
