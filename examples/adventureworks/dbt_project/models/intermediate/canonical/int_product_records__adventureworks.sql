-- Products by their id in operations, and by the key of each of their versions in the sales warehouse: the
-- product number is what both print (references in master_data/product.yaml).
with

    products as (select * from {{ ref("stg_aw_oltp__products") }}),
    versions as (select * from {{ ref("stg_aw_sales_dw__products") }})

select
    'aw_oltp' as source_system,
    source_product as source_key,
    'AW' as company_code,
    product_number as code,
    product_name as name,
    'EA' as uom_text,
    product_kind as kind,
    is_active
from products
union all by name
select
    'aw_sales_dw' as source_system,
    source_product as source_key,
    'AW' as company_code,
    product_number as code,
    product_name as name,
    product_kind as kind,
    is_active
from versions
