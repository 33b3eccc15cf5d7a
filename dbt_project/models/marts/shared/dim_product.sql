with products as (select * from {{ ref("int_products__conformed") }})

select
    {{ key(["'product'", "product_code"]) }} as product_key,
    product_code,
    product_name,
    product_kind,
    category_name,
    product_line_name,
    base_uom_code,
    list_price_cny,
    average_cost_cny,
    is_active,
    source_system,
    'product_product' as source_stream,
    cast(product_id as text) as source_record
from products
union all by name
select
    'unmatched' as product_key,
    'unmatched' as product_code,
    '未匹配' as product_name,
    'unmatched' as product_kind,
    'unmatched' as base_uom_code,
    false as is_active,
    {{ provenance("tieout", "special_member", "'unmatched'") }}
