-- Accounts as the operational system lists them (of people it has no names) and as the warehouse describes
-- those that bought. Unlike buyers of the group's web shops, consumers here have an account and stay
-- themselves.
with

    accounts as (select * from {{ ref("stg_aw_oltp__customers") }}),
    stores as (select * from {{ ref("stg_aw_oltp__stores") }}),
    consumers as (select * from {{ ref("stg_aw_sales_dw__customers") }}),
    resellers as (select * from {{ ref("stg_aw_sales_dw__resellers") }}),
    geographies as (select * from {{ ref("stg_aw_sales_dw__geographies") }}),

    buyers as (

        select *
        from consumers
        union all
        select *
        from resellers

    )

select
    'aw_oltp' as source_system,
    accounts.source_customer as source_key,
    'AW' as company_code,
    accounts.source_customer as code,
    -- an account of a person at a store is not the store's
    case when accounts.person_id is null then stores.store_name end as name,
    true as is_active,
    accounts.changed_at
from accounts
left join stores on accounts.store_id = stores.store_id
union all by name
select
    'aw_sales_dw' as source_system,
    buyers.source_customer as source_key,
    'AW' as company_code,
    buyers.account_number as code,
    buyers.customer_name as name,
    geographies.country_code,
    geographies.city,
    buyers.address,
    buyers.phone,
    true as is_active
from buyers
left join geographies on buyers.geography_key = geographies.geography_key
