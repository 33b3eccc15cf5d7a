-- One row per product, whatever systems code it: the golden record under a key that is minted once
-- (master.crosswalk). How it is classed, listed and costed is what the company that stocks it says.
with

    golden as ({{ golden("product", ["code", "name", "specification", "kind", "uom_text"]) }}),
    members as ({{ members("product") }}),
    uoms as (select * from {{ ref("uoms") }}),
    known as ({{ known_to_all("product") }}),
    products as ({{ every_company("product_classes") }}),

    -- two codes of one product: the first one says how it is classed
    conformed as (

        select known.product_key, products.*
        from known
        inner join
            products
            on known.source_system = products.source_system
            and known.known_as = products.source_product
        qualify row_number() over (partition by known.product_key order by products.source_product) = 1

    )

select
    members.master_key as product_key,
    coalesce(golden.code, members.master_key) as product_code,
    coalesce(golden.name, '未命名') as product_name,
    golden.specification,
    coalesce(conformed.product_kind, golden.kind) as product_kind,
    conformed.category_name,
    conformed.product_line_name,
    coalesce(conformed.base_uom_code, uoms.uom_code, 'unmatched') as base_uom_code,
    conformed.list_price_cny,
    conformed.average_cost_cny,
    members.is_active,
    members.record_count,
    members.system_count,
    members.duplicate_record_count,
    members.source_system,
    'product_record' as source_stream,
    members.source_record
from members
left join golden on members.master_key = golden.product_key
left join conformed on members.master_key = conformed.product_key
left join uoms on golden.uom_text = uoms.uom_text
union all by name
-- facts naming a product no system knows point at the first, where everyone can see them; facts that
-- have none at all at the second
select
    'unmatched' as product_key,
    'unmatched' as product_code,
    '未匹配' as product_name,
    'unmatched' as product_kind,
    'unmatched' as base_uom_code,
    false as is_active,
    0 as record_count,
    0 as system_count,
    0 as duplicate_record_count,
    {{ provenance("tieout", "special_member", "'unmatched'") }}
union all by name
select
    'not_applicable' as product_key,
    'not_applicable' as product_code,
    '不适用' as product_name,
    'not_applicable' as product_kind,
    'not_applicable' as base_uom_code,
    false as is_active,
    0 as record_count,
    0 as system_count,
    0 as duplicate_record_count,
    {{ provenance("tieout", "special_member", "'not_applicable'") }}
