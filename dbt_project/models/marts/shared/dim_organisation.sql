-- Companies, their departments, workshops and work centres.
with

    -- what no system keeps a record of: companies, by what the systems call them
    group_companies as (select * from {{ ref("companies") }}),
    known_units as ({{ every_company("organisation_units") }}),

    units as (

        select *
        from known_units
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
