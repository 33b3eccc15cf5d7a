with source as (select * from {{ source("hc_shopify", "web_order_line") }})

select
    order_id,
    id as line_id,
    sku as source_product,
    title as product_name,
    currency_code,
    cast(quantity as decimal(18, 4)) as order_qty,
    -- before discount
    cast(original_unit_price as decimal(18, 2)) as unit_price_txn,
    cast(discounted_total as decimal(18, 2)) as order_amount_net_txn,
    updated_at as changed_at
from source
where not _is_deleted
