-- Suppliers as the systems of 华辰 have them. SAP's suppliers are not fetched: its postings name them by
-- number only.
with

    kingdee_suppliers as (select * from {{ ref("stg_hc_kingdee__suppliers") }}),
    u8_vendors as (select * from {{ ref("stg_hc_u8__vendors") }}),
    yonbip_vendors as (select * from {{ ref("stg_hc_yonbip__vendors") }}),
    named as (select * from {{ ref("int_suppliers__named") }}),

    listed as (

        select
            'hc_kingdee' as source_system,
            source_supplier as source_key,
            'HC' as company_code,
            source_supplier as code,
            supplier_name as name,
            credit_code,
            city,
            address,
            phone,
            contact_name as contact,
            not is_disabled as is_active,
            changed_at
        from kingdee_suppliers
        union all by name
        select
            'hc_u8' as source_system,
            source_supplier as source_key,
            'HC' as company_code,
            source_supplier as code,
            supplier_name as name,
            short_name,
            credit_code,
            address,
            phone,
            contact_name as contact,
            disabled_date is null as is_active,
            changed_at
        from u8_vendors
        union all by name
        -- documents name a vendor by its id, people by its code
        select
            'hc_yonbip' as source_system,
            source_supplier as source_key,
            'HC' as company_code,
            supplier_code as code,
            supplier_name as name,
            credit_code,
            address,
            phone,
            contact_name as contact,
            not is_disabled as is_active,
            changed_at
        from yonbip_vendors

    ),

    only_named as (

        select distinct
            source_system,
            source_supplier as source_key,
            case when source_system = 'hc_sap' then 'HCE' else 'HC' end as company_code,
            source_supplier as code,
            true as is_active
        from named
        where source_system not in (select source_system from listed)

    )

select *, cast(null as text) as country_code
from listed
union all by name
select *
from only_named
