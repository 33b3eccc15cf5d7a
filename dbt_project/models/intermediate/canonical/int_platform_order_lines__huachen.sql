-- What people ordered in the shops: the parent's on 聚水潭 (CNY, tax included) and the subsidiary's on Shopify
-- (EUR, net, with a discount). Buyers are masked or private, so they are no customers of the master data. The
-- subsidiary's web orders come a second time as orders of SAP, which name them.
with

    shop_orders as (select * from {{ ref("stg_hc_shop__orders") }}),
    shop_items as (select * from {{ ref("stg_hc_shop__order_items") }}),
    web_orders as (select * from {{ ref("stg_hc_shopify__web_orders") }}),
    web_lines as (select * from {{ ref("stg_hc_shopify__web_order_lines") }}),
    statuses as (select * from {{ ref("source_statuses") }} where document_type = 'platform_order'),
    known_products as ({{ known_to_all("product") }}),
    source_codes as (
        select * from {{ ref("source_codes") }} where entity = 'warehouse' and source_system = 'hc_shop'
    ),
    warehouses as (select * from {{ ref("dim_warehouse") }} where company_code = 'HC'),
    products as (select * from {{ ref("dim_product") }}),
    organisations as (select * from {{ ref("dim_organisation") }} where organisation_kind = 'company'),

    unioned as (

        select
            'HC' as company_code,
            'hc_shop' as source_system,
            'order_item' as source_stream,
            items.order_id || '|' || items.line_id as source_record,
            orders.shop_name as platform_name,
            cast(items.order_id as text) as order_id,
            orders.order_no,
            cast(items.line_id as text) as line_id,
            items.source_product,
            orders.source_status,
            orders.source_warehouse,
            orders.ordered_at,
            orders.paid_at,
            orders.shipped_at,
            items.order_qty,
            items.currency_code,
            items.order_amount_gross_txn,
            -- freight is charged once an order: its first line carries it
            case
                when items.line_id = min(items.line_id) over (partition by items.order_id)
                then orders.freight_amount_gross_txn
                else 0
            end as freight_amount_gross_txn,
            cast(null as decimal(18, 2)) as order_amount_net_txn
        from shop_items as items
        left join shop_orders as orders on items.order_id = orders.order_id
        union all by name
        select
            'HCE' as company_code,
            'hc_shopify' as source_system,
            'web_order_line' as source_stream,
            lines.order_id || '|' || lines.line_id as source_record,
            'Shopify' as platform_name,
            lines.order_id,
            orders.order_no,
            lines.line_id,
            lines.source_product,
            orders.source_status,
            orders.ordered_at,
            case when orders.payment_status = 'PAID' then orders.ordered_at end as paid_at,
            lines.order_qty,
            lines.currency_code,
            lines.order_amount_net_txn
        from web_lines as lines
        left join web_orders as orders on lines.order_id = orders.order_id

    ),

    dated as (

        select
            *,
            cast(timezone('Asia/Shanghai', ordered_at) as date) as order_date,
            cast(timezone('Asia/Shanghai', paid_at) as date) as paid_date,
            cast(timezone('Asia/Shanghai', shipped_at) as date) as ship_date
        from unioned

    ),

    rated as ({{ priced_on("dated", "order_date") }})

select
    {{ key(["'platform_order_line'", "rated.source_system", "rated.order_id", "rated.line_id"]) }}
    as platform_order_line_key,
    rated.platform_name,
    rated.order_no,
    rated.order_id,
    rated.line_id,
    coalesce(known_products.product_key, 'unmatched') as product_key,
    case
        when rated.source_warehouse is null
        then 'not_applicable'
        else coalesce(warehouses.warehouse_key, 'unmatched')
    end as warehouse_key,
    rated.order_date,
    rated.paid_date,
    rated.ship_date,
    coalesce(statuses.status_code, 'unmatched') as order_status_code,
    coalesce(statuses.status_code = 'cancelled', false) as is_cancelled,
    rated.paid_at is not null as is_paid,
    rated.ship_date is not null as is_shipped,
    rated.order_qty,
    coalesce(products.base_uom_code, 'unmatched') as base_uom_code,
    rated.currency_code,
    rated.order_amount_net_txn,
    rated.order_amount_gross_txn,
    rated.freight_amount_gross_txn,
    {{ at_price("rated.order_amount_net_txn", "rated.cny_per_unit") }} as order_amount_net_cny,
    {{ at_price("rated.order_amount_gross_txn", "rated.cny_per_unit") }} as order_amount_gross_cny,
    rated.company_code,
    coalesce(organisations.organisation_key, 'unmatched') as company_key,
    rated.source_system,
    rated.source_stream,
    rated.source_record
from rated
left join organisations on rated.company_code = organisations.organisation_code
left join
    statuses on rated.source_system = statuses.source_system and rated.source_status = statuses.source_status
left join
    known_products
    on rated.source_system = known_products.source_system
    and rated.source_product = known_products.known_as
left join products on known_products.product_key = products.product_key
left join source_codes on rated.source_warehouse = source_codes.source_code
left join warehouses on source_codes.standard_code = warehouses.warehouse_code
