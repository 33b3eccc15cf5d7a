-- The company and its workshops and work centres. Work centres have no code in the production system: its
-- own number is the only name they have.
with

    companies as (select * from {{ ref("stg_hx_finance__companies") }}),
    work_centers as (select * from {{ ref("stg_hx_stock__work_centers") }}),
    source_codes as (select * from {{ ref("source_codes") }}),

    units as (

        select
            company_code as organisation_code,
            company_name as organisation_name,
            'company' as organisation_kind,
            null as parent_code,
            {{ provenance("hx_finance", "company", "company_id") }}
        from companies
        union all
        select
            'WC' || lpad(cast(work_centers.work_center_id as text), 2, '0'),
            work_centers.work_center_name,
            case when work_centers.parent_work_center_id is null then 'workshop' else 'work_center' end,
            case
                when work_centers.parent_work_center_id is null
                then source_codes.standard_code
                else 'WC' || lpad(cast(work_centers.parent_work_center_id as text), 2, '0')
            end,
            {{ provenance("hx_stock", "production_work_center", "work_centers.work_center_id") }}
        from work_centers
        left join
            source_codes
            on source_codes.entity = 'company'
            and source_codes.source_system = 'hx_stock'
            and work_centers.source_company = source_codes.source_code

    )

select
    {{ key(["'organisation'", "organisation_code"]) }} as organisation_key,
    organisation_code,
    organisation_name,
    organisation_kind,
    case
        when parent_code is not null then {{ key(["'organisation'", "parent_code"]) }}
    end as parent_organisation_key,
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
