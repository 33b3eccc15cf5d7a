-- Departments as each system has them. Only HR keeps where a department stood when: a department that
-- moved is several records there, told apart by their first day; the directories know today only.
with

    hr_departments as (select * from {{ ref("stg_hc_hr__departments") }}),
    dingtalk_departments as (select * from {{ ref("stg_hc_dingtalk__departments") }}),
    feishu_departments as (select * from {{ ref("stg_hc_feishu__departments") }}),
    said_same as (select * from {{ ref("int_records__said_same") }} where entity = 'department'),

    records as (

        select
            'hc_hr:' || source_department || ':' || valid_from as record_id,
            'hc_hr' as source_system,
            source_department as source_key,
            source_department as code,
            department_name as name,
            source_parent_department as parent_source_key,
            valid_from,
            valid_to,
            valid_to is null as is_active
        from hr_departments
        union all by name
        select
            'hc_dingtalk:' || source_department as record_id,
            'hc_dingtalk' as source_system,
            source_department as source_key,
            department_name as name,
            -- 1 is the root, which is no department
            nullif(source_parent_department, '1') as parent_source_key,
            true as is_active
        from dingtalk_departments
        union all by name
        select
            'hc_feishu:' || source_department as record_id,
            'hc_feishu' as source_system,
            source_department as source_key,
            department_code as code,
            department_name as name,
            -- '0' is the root, which is no department
            nullif(source_parent_department, '0') as parent_source_key,
            true as is_active
        from feishu_departments

    ),

    -- a department of HR that others say they are is its latest record
    latest as (

        select source_system || ':' || source_key as said_as, arg_max(record_id, valid_from) as record_id
        from records
        where valid_from is not null
        group by source_system, source_key

    ),

    said as (select source_system, source_key, unnest(same_as) as said_as from said_same),

    same as (

        select
            said.source_system,
            said.source_key,
            list_sort(list(coalesce(latest.record_id, said.said_as))) as same_as
        from said
        left join latest on said.said_as = latest.said_as
        group by said.source_system, said.source_key

    )

select
    records.record_id,
    records.source_system,
    records.source_key,
    'HC' as company_code,
    records.code,
    records.name,
    records.parent_source_key,
    records.valid_from,
    records.valid_to,
    records.is_active,
    same.same_as
from records
left join same on records.source_system = same.source_system and records.source_key = same.source_key
