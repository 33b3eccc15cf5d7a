-- The company, its workshops and work centres. The work centres of the stock system have no code: its own
-- number is the only name they have.
with

    companies as (select * from {{ ref("stg_hx_finance__companies") }}),
    work_centers as (select * from {{ ref("stg_hx_stock__work_centers") }}),
    source_codes as (select * from {{ ref("source_codes") }} where entity = 'company')

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
