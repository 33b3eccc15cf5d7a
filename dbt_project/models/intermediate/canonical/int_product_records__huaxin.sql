-- 华信's products as its two systems have them: sales lists, stock counts, and both use the same codes.
-- One row per system and product.
with

    stock_products as (select * from {{ ref("stg_hx_stock__products") }}),
    stock_templates as (select * from {{ ref("stg_hx_stock__product_templates") }}),
    stock_uoms as (select * from {{ ref("stg_hx_stock__uoms") }}),
    sales_products as (select * from {{ ref("stg_hx_sales__products") }}),
    sales_templates as (select * from {{ ref("stg_hx_sales__product_templates") }}),
    categories as (select * from {{ ref("stg_hx_sales__product_categories") }})

select
    'hx_stock' as source_system,
    stock_products.product_code as source_key,
    'HX' as company_code,
    stock_products.product_code as code,
    stock_templates.product_name as name,
    stock_uoms.uom_text,
    cast(null as text) as kind,
    stock_products.is_active
from stock_products
left join stock_templates on stock_products.template_id = stock_templates.template_id
left join stock_uoms on stock_templates.uom_id = stock_uoms.uom_id
union all
select
    'hx_sales',
    sales_products.product_code,
    'HX',
    sales_products.product_code,
    sales_templates.product_name,
    null,
    case categories.category_name when '原材料' then 'material' when '产成品' then 'finished' end,
    sales_products.is_active
from sales_products
left join sales_templates on sales_products.template_id = sales_templates.template_id
left join categories on sales_templates.category_id = categories.category_id
