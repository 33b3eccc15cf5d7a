with

    products as (select * from {{ ref("stg_aw_oltp__products") }}),
    subcategories as (select * from {{ ref("stg_aw_oltp__product_subcategories") }}),
    categories as (select * from {{ ref("stg_aw_oltp__product_categories") }})

select
    'aw_oltp' as source_system,
    products.source_product,
    products.product_kind,
    categories.category_name,
    subcategories.subcategory_name as product_line_name,
    'piece' as base_uom_code
from products
left join subcategories on products.subcategory_id = subcategories.subcategory_id
left join categories on subcategories.category_id = categories.category_id
