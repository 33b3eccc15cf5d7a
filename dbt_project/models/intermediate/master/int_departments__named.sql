-- Which department a system has a person in: the same person (by employee number) tells that two
-- departments are one. People move and lists lag, hence not for one person alone. One row per
-- department and person.
with

    dingtalk_users as (select * from {{ ref("stg_hc_dingtalk__users") }}),
    feishu_users as (select * from {{ ref("stg_hc_feishu__users") }}),
    posts as (select * from {{ ref("stg_hc_hr__posts") }}),

    last_posts as (

        select source_employee, arg_max(source_department, valid_from) as source_department
        from posts
        group by source_employee

    ),

    named as (

        select 'hc_dingtalk' as source_system, source_department, employee_no
        from dingtalk_users
        union all
        select 'hc_feishu', source_department, employee_no
        from feishu_users
        union all
        select 'hc_hr', source_department, source_employee
        from last_posts

    )

select source_system, source_department, employee_no as document_no, employee_no as shared_number
from named
where source_department is not null
