-- Materials and products as the systems of 华辰 have them. MES, 简道云, 氚云, Jira, 飞书, Shopify and
-- YonBIP keep no list that is fetched: they name products in documents, by their own number or by the
-- company's.
with

    kingdee_materials as (select * from {{ ref("stg_hc_kingdee__materials") }}),
    u8_items as (select * from {{ ref("stg_hc_u8__inventories") }}),
    sap_products as (select * from {{ ref("stg_hc_sap__products") }}),
    sap_descriptions as (select * from {{ ref("stg_hc_sap__product_descriptions") }}),
    shop_skus as (select * from {{ ref("stg_hc_shop__skus") }}),
    only_named as (select * from {{ ref("int_products__only_named") }}),

    -- the Chinese description, where there is none the first of the others
    sap_names as (

        select
            source_product, first(product_name order by language_code <> 'ZH', language_code) as product_name
        from sap_descriptions
        group by source_product

    )

select
    'hc_kingdee' as source_system,
    source_product as source_key,
    'HC' as company_code,
    source_product as code,
    old_code,
    product_name as name,
    specification,
    source_uom as uom_text,
    product_kind as kind,
    not is_disabled as is_active,
    changed_at
from kingdee_materials
union all by name
select
    'hc_u8' as source_system,
    source_product as source_key,
    'HC' as company_code,
    source_product as code,
    old_code,
    product_name as name,
    specification,
    source_uom as uom_text,
    product_kind as kind,
    true as is_active
from u8_items
union all by name
select
    'hc_sap' as source_system,
    sap_products.source_product as source_key,
    'HCE' as company_code,
    sap_products.source_product as code,
    sap_products.old_code,
    sap_names.product_name as name,
    sap_products.source_uom as uom_text,
    sap_products.product_kind as kind,
    not sap_products.is_disabled as is_active,
    sap_products.changed_at
from sap_products
left join sap_names on sap_products.source_product = sap_names.source_product
union all by name
-- the shop's style is the company's number of the product
select
    'hc_shop' as source_system,
    source_product as source_key,
    'HC' as company_code,
    source_product as code,
    style_code as old_code,
    product_name as name,
    specification,
    is_active,
    changed_at
from shop_skus
union all by name
select *
from only_named
where source_system not in ('hc_kingdee', 'hc_u8', 'hc_sap', 'hc_shop')
