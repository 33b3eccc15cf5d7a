-- The warehouse says of every customer and of every product version which account or number it is in
-- operations.
with

    accounts as (select * from {{ ref("stg_aw_oltp__customers") }}),
    consumers as (select * from {{ ref("stg_aw_sales_dw__customers") }}),
    resellers as (select * from {{ ref("stg_aw_sales_dw__resellers") }}),
    products as (select * from {{ ref("stg_aw_oltp__products") }}),
    versions as (select * from {{ ref("stg_aw_sales_dw__products") }}),

    buyers as (

        select source_customer, account_number
        from consumers
        union all
        select source_customer, account_number
        from resellers

    )

select
    'customer' as entity,
    'aw_sales_dw' as our_system,
    buyers.source_customer as our_key,
    'aw_oltp' as their_system,
    accounts.source_customer as their_key
from buyers
inner join accounts on buyers.account_number = accounts.source_customer
union all
select 'product', 'aw_sales_dw', versions.source_product, 'aw_oltp', products.source_product
from versions
inner join products on versions.product_number = products.product_number
