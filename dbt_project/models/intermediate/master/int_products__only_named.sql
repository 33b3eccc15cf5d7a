-- Products of the systems that keep no list of them, with what their documents say: a name, a unit,
-- whether the thing is made or used up. One row per system and number.
with

    named as (select * from {{ ref("int_products__named") }}),
    work_orders as (select * from {{ ref("stg_hc_mes__work_orders") }}),
    issues as (select * from {{ ref("stg_hc_mes__material_issues") }}),
    requests as (select * from {{ ref("stg_hc_crm__purchase_request_lines") }}),
    web_order_lines as (select * from {{ ref("stg_hc_shopify__web_order_lines") }}),
    yonbip_orders as (select * from {{ ref("stg_hc_yonbip__purchase_order_lines") }}),

    told as (

        select
            'hc_mes' as source_system,
            source_product,
            source_uom,
            cast(null as text) as product_name,
            'finished' as product_kind,
            created_at as told_at
        from work_orders
        union all
        select 'hc_mes', source_product, source_uom, null, 'material', issued_at
        from issues
        union all
        select 'hc_crm', source_product, source_uom, null, null, null
        from requests
        union all
        select 'hc_shopify', source_product, null, product_name, null, changed_at
        from web_order_lines
        union all
        select 'hc_yonbip', source_product, source_uom, product_name, null, created_at
        from yonbip_orders

    ),

    -- the last document wins; what is made and used up too is neither
    described as (

        select
            source_system,
            source_product,
            first(source_uom order by told_at desc nulls last, source_uom) filter (
                where source_uom is not null
            ) as source_uom,
            first(product_name order by told_at desc nulls last, product_name) filter (
                where product_name is not null
            ) as product_name,
            case when count(distinct product_kind) = 1 then min(product_kind) end as product_kind
        from told
        group by source_system, source_product

    ),

    numbers as (select distinct source_system, source_product from named)

select
    numbers.source_system,
    numbers.source_product as source_key,
    case when numbers.source_system = 'hc_shopify' then 'HCE' else 'HC' end as company_code,
    numbers.source_product as code,
    described.product_name as name,
    described.source_uom as uom_text,
    described.product_kind as kind,
    true as is_active
from numbers
left join
    described
    on numbers.source_system = described.source_system
    and numbers.source_product = described.source_product
