-- The style is the company's own item number. Prices are CNY.
with source as (select * from {{ source("hc_shop", "sku") }})

select
    sku_id as source_product,
    i_id as style_code,
    name as product_name,
    properties_value as specification,
    brand as brand_name,
    coalesce(enabled = 1, false) as is_active,
    cast(sale_price as decimal(18, 2)) as list_price_gross_cny,
    cast(cost_price as decimal(18, 2)) as cost_price_cny,
    timezone('Asia/Shanghai', modified) as changed_at
from source
where not _is_deleted
