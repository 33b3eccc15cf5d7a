-- Which department of HR a system means. Those that carry HR's own code say it themselves; 钉钉 numbers
-- departments anew, and is told by the records that were found to be the same.
with

    records as (select * from {{ ref("department_record") }}),

    coded as (

        select source_system, source_key, code
        from records
        where source_system = 'hc_feishu' and code is not null
        union all
        select source_system, source_key, min(split_part(same, ':', 2)) as code
        from
            (
                select source_system, source_key, unnest(same_as) as same
                from records
                where source_system = 'hc_dingtalk'
            )
        where same like 'hc_hr:%'
        group by source_system, source_key
        union all
        select systems.source_system, records.source_key, records.source_key as code
        from (select distinct source_key from records where source_system = 'hc_hr') as records
        cross join
            (
                select unnest(['hc_hr', 'hc_kingdee', 'hc_u8', 'hc_wecom', 'hc_crm']) as source_system
            ) as systems

    )

select
    source_system, source_key as known_as, {{ key(["'organisation'", "'HC-' || code"]) }} as organisation_key
from coded
