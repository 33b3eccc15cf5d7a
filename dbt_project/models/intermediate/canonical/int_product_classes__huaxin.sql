with products as (select * from {{ ref("int_products__conformed") }})

select
    'hx_stock' as source_system,
    product_code as source_product,
    product_kind,
    category_name,
    product_line_name,
    base_uom_code,
    list_price_cny,
    average_cost_cny
from products
