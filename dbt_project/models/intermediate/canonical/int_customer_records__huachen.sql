-- Customers as the systems of 华辰 have them. Systems without a list of customers name them in documents: by
-- a number (MES, Jira), by a name (TMS with the address, 飞书). Consumers of the web shops are no master
-- customers: masked buyers and e-mail addresses of 聚水潭 and Shopify are left out on purpose.
with

    kingdee_customers as (select * from {{ ref("stg_hc_kingdee__customers") }}),
    crm_customers as (select * from {{ ref("stg_hc_crm__customers") }}),
    u8_customers as (select * from {{ ref("stg_hc_u8__customers") }}),
    sap_partners as (select * from {{ ref("stg_hc_sap__business_partners") }}),
    salesforce_accounts as (select * from {{ ref("stg_hc_salesforce__accounts") }}),
    waybills as (select * from {{ ref("stg_hc_tms__waybills") }}),
    named as (select * from {{ ref("int_customers__named") }}),

    listed as (

        select
            'hc_kingdee' as source_system,
            source_customer as source_key,
            'HC' as company_code,
            source_customer as code,
            customer_name as name,
            credit_code,
            country_code,
            city,
            address,
            phone,
            contact_name as contact,
            not is_disabled as is_active,
            changed_at
        from kingdee_customers
        union all by name
        select
            'hc_crm' as source_system,
            source_customer as source_key,
            'HC' as company_code,
            source_customer as code,
            customer_name as name,
            credit_code,
            city,
            address,
            phone,
            contact_name as contact,
            not is_disabled as is_active,
            changed_at
        from crm_customers
        union all by name
        select
            'hc_u8' as source_system,
            source_customer as source_key,
            'HC' as company_code,
            source_customer as code,
            customer_name as name,
            credit_code,
            address,
            phone,
            contact_name as contact,
            true as is_active,
            changed_at
        from u8_customers
        union all by name
        -- abroad the VAT number is what identifies a company
        select
            'hc_sap' as source_system,
            source_customer as source_key,
            'HCE' as company_code,
            source_customer as code,
            customer_name as name,
            vat_number as credit_code,
            country_code,
            city,
            address,
            phone,
            not is_disabled as is_active,
            changed_at
        from sap_partners
        union all by name
        select
            'hc_salesforce' as source_system,
            source_customer as source_key,
            'HCE' as company_code,
            customer_name as name,
            vat_number as credit_code,
            country_code,
            city,
            address,
            phone,
            true as is_active,
            changed_at
        from salesforce_accounts
        union all by name
        -- of several addresses of a name, that of the last waybill
        select
            'hc_tms' as source_system,
            source_customer as source_key,
            'HC' as company_code,
            source_customer as name,
            first(address order by shipped_at desc, waybill_no desc) as address,
            first(phone order by shipped_at desc, waybill_no desc) as phone,
            true as is_active
        from waybills
        where source_customer is not null
        group by source_customer

    ),

    -- 飞书 names by name what the others name by number
    only_named as (

        select distinct
            source_system,
            source_customer as source_key,
            'HC' as company_code,
            case when source_system <> 'hc_feishu' then source_customer end as code,
            case when source_system = 'hc_feishu' then source_customer end as name,
            true as is_active
        from named
        where source_system not in (select source_system from listed)

    )

select *, cast(null as text) as short_name
from listed
union all by name
select *
from only_named
