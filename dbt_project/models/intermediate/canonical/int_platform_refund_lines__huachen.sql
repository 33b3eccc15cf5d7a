-- What shop buyers sent back and got back (聚水潭). The amount of a refund is the document's; its lines tell
-- the goods.
with

    refunds as (select * from {{ ref("stg_hc_shop__refunds") }}),
    refund_items as (select * from {{ ref("stg_hc_shop__refund_items") }}),
    statuses as (select * from {{ ref("source_statuses") }} where document_type = 'platform_refund'),
    known_products as ({{ known_to("hc_shop", "product") }}),
    products as (select * from {{ ref("dim_product") }})

select
    {{ key(["'platform_refund_line'", "'hc_shop'", "items.refund_id", "items.line_id"]) }}
    as platform_refund_line_key,
    refunds.refund_no,
    cast(items.refund_id as text) as refund_id,
    cast(items.line_id as text) as line_id,
    refunds.order_no,
    cast(refunds.order_id as text) as order_id,
    coalesce(known_products.product_key, 'unmatched') as product_key,
    cast(timezone('Asia/Shanghai', refunds.created_at) as date) as request_date,
    case
        when statuses.status_code in ('done', 'confirmed')
        then cast(timezone('Asia/Shanghai', refunds.changed_at) as date)
    end as refund_date,
    coalesce(statuses.status_code, 'unmatched') as status_code,
    items.refund_qty,
    coalesce(products.base_uom_code, 'unmatched') as base_uom_code,
    items.currency_code,
    items.refund_amount_gross_txn,
    case
        when items.currency_code = '{{ var("reporting_currency") }}' then items.refund_amount_gross_txn
    end as refund_amount_gross_cny,
    {{ of_company("HC") }},
    'hc_shop' as source_system,
    'refund_item' as source_stream,
    items.refund_id || '|' || items.line_id as source_record
from refund_items as items
left join refunds on items.refund_id = refunds.refund_id
left join statuses on statuses.source_system = 'hc_shop' and refunds.source_status = statuses.source_status
left join known_products on items.source_product = known_products.known_as
left join products on known_products.product_key = products.product_key
