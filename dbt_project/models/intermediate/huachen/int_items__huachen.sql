-- What each system of the group counts a product in, under the key everybody uses. Two codes of one product
-- in
-- one system keep a line each.
with

    inventories as (select source_product, source_uom from {{ ref("stg_hc_u8__inventories") }}),
    uoms as (select * from {{ ref("uoms") }}),
    known as ({{ known_to("hc_u8", "product") }}),
    products as (select * from {{ ref("dim_product") }})

select
    inventories.source_product,
    coalesce(known.product_key, 'unmatched') as product_key,
    coalesce(products.base_uom_code, 'unmatched') as base_uom_code,
    coalesce(uoms.uom_code, 'unmatched') as uom_code
from inventories
left join uoms on inventories.source_uom = uoms.uom_text
left join known on inventories.source_product = known.known_as
left join products on known.product_key = products.product_key
