-- Companies, their departments, workshops and work centres. The work centres of the stock system have no
-- code:
-- its own number is the only name they have. A department of 华辰 stands where HR says it stands now.
with

    companies as (select * from {{ ref("stg_hx_finance__companies") }}),
    work_centers as (select * from {{ ref("stg_hx_stock__work_centers") }}),
    departments as (select * from {{ ref("stg_hc_hr__departments") }}),
    source_codes as (select * from {{ ref("source_codes") }} where entity = 'company'),
    -- what no system keeps a record of: the companies of 华辰, by what the systems call them
    group_companies as (select * from {{ ref("companies") }}),

    units as (

        select
            source_codes.standard_code as organisation_code,
            companies.company_name as organisation_name,
            'company' as organisation_kind,
            null as parent_code,
            companies.currency_code,
            {{ provenance("hx_finance", "company", "companies.company_id") }}
        from companies
        left join
            source_codes
            on source_codes.source_system = 'hx_finance'
            and companies.company_code = source_codes.source_code
        union all by name
        select
            company_code as organisation_code,
            company_name as organisation_name,
            'company' as organisation_kind,
            parent_code,
            currency_code,
            source_system,
            'company' as source_stream,
            source_code as source_record
        from group_companies
        union all by name
        select
            'WC' || lpad(cast(work_centers.work_center_id as text), 2, '0') as organisation_code,
            work_centers.work_center_name as organisation_name,
            case
                when work_centers.parent_work_center_id is null then 'workshop' else 'work_center'
            end as organisation_kind,
            case
                when work_centers.parent_work_center_id is null
                then source_codes.standard_code
                else 'WC' || lpad(cast(work_centers.parent_work_center_id as text), 2, '0')
            end as parent_code,
            {{ provenance("hx_stock", "production_work_center", "work_centers.work_center_id") }}
        from work_centers
        left join
            source_codes
            on source_codes.source_system = 'hx_stock'
            and work_centers.source_company = source_codes.source_code
        union all by name
        select
            'HC-' || source_department as organisation_code,
            department_name as organisation_name,
            'department' as organisation_kind,
            'HC' || coalesce('-' || source_parent_department, '') as parent_code,
            {{ provenance("hc_hr", "department", "source_department") }}
        from departments
        where valid_to is null

    )

select
    {{ key(["'organisation'", "organisation_code"]) }} as organisation_key,
    organisation_code,
    organisation_name,
    organisation_kind,
    case
        when parent_code is not null then {{ key(["'organisation'", "parent_code"]) }}
    end as parent_organisation_key,
    currency_code,
    source_system,
    source_stream,
    source_record
from units
union all by name
select
    'unmatched' as organisation_key,
    'unmatched' as organisation_code,
    '未匹配' as organisation_name,
    'unmatched' as organisation_kind,
    {{ provenance("tieout", "special_member", "'unmatched'") }}
union all by name
select
    'not_applicable' as organisation_key,
    'not_applicable' as organisation_code,
    '不适用' as organisation_name,
    'not_applicable' as organisation_kind,
    {{ provenance("tieout", "special_member", "'not_applicable'") }}
