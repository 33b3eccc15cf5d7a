-- One row per product code, from both systems that keep products. The stock system says how a product is
-- counted and what it costs, the sales system how it is classed and listed.
with

    stock_products as (select * from {{ ref("stg_hx_stock__products") }}),
    stock_templates as (select * from {{ ref("stg_hx_stock__product_templates") }}),
    stock_uoms as (select * from {{ ref("stg_hx_stock__uoms") }}),
    costs as (select * from {{ ref("stg_hx_stock__product_cost_prices") }}),
    sales_products as (select * from {{ ref("stg_hx_sales__products") }}),
    sales_templates as (select * from {{ ref("stg_hx_sales__product_templates") }}),
    categories as (select * from {{ ref("stg_hx_sales__product_categories") }}),
    template_categories as (select * from {{ ref("stg_hx_sales__product_template_categories") }}),
    list_prices as (select * from {{ ref("stg_hx_sales__product_list_prices") }}),
    uoms as (select * from {{ ref("uoms") }}),

    product_lines as (

        select template_categories.template_id, min(categories.category_name) as product_line_name
        from template_categories
        left join categories on template_categories.category_id = categories.category_id
        group by template_categories.template_id

    ),

    counted as (

        select
            stock_products.product_code,
            stock_products.product_id,
            stock_templates.product_name,
            stock_templates.product_kind,
            stock_products.is_active,
            stock_uoms.uom_text,
            costs.average_cost_cny
        from stock_products
        left join stock_templates on stock_products.template_id = stock_templates.template_id
        left join stock_uoms on stock_templates.uom_id = stock_uoms.uom_id
        left join costs on stock_products.product_id = costs.product_id

    ),

    classed as (

        select
            sales_products.product_code,
            sales_products.product_id,
            sales_templates.product_name,
            sales_templates.product_kind,
            sales_products.is_active,
            categories.category_name,
            product_lines.product_line_name,
            list_prices.list_price_cny
        from sales_products
        left join sales_templates on sales_products.template_id = sales_templates.template_id
        left join categories on sales_templates.category_id = categories.category_id
        left join product_lines on sales_products.template_id = product_lines.template_id
        left join list_prices on sales_products.template_id = list_prices.template_id

    ),

    conformed as (

        select
            coalesce(counted.product_code, classed.product_code) as product_code,
            coalesce(counted.product_name, classed.product_name) as product_name,
            coalesce(counted.product_kind, classed.product_kind) as product_kind,
            coalesce(counted.is_active, classed.is_active) as is_active,
            classed.category_name,
            classed.product_line_name,
            classed.list_price_cny,
            counted.average_cost_cny,
            counted.uom_text,
            case when counted.product_code is not null then 'hx_stock' else 'hx_sales' end as source_system,
            coalesce(counted.product_id, classed.product_id) as product_id
        from counted
        full outer join classed on counted.product_code = classed.product_code

    )

select
    conformed.product_code,
    conformed.product_name,
    conformed.product_kind,
    conformed.is_active,
    conformed.category_name,
    conformed.product_line_name,
    conformed.list_price_cny,
    conformed.average_cost_cny,
    coalesce(uoms.uom_code, 'unmatched') as base_uom_code,
    -- what the base unit itself is measured in: quantities convert only inside one reference unit
    uoms.base_uom_code as reference_uom_code,
    uoms.factor as base_uom_factor,
    conformed.source_system,
    conformed.product_id
from conformed
left join uoms on conformed.uom_text = uoms.uom_text
