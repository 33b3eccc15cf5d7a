-- 华信's systems share one list of product codes.
with

    sales_products as (select * from {{ ref("stg_hx_sales__products") }}),
    stock_products as (select * from {{ ref("stg_hx_stock__products") }})

select
    'product' as entity,
    'hx_sales' as our_system,
    sales_products.product_code as our_key,
    'hx_stock' as their_system,
    stock_products.product_code as their_key
from sales_products
inner join stock_products on sales_products.product_code = stock_products.product_code
