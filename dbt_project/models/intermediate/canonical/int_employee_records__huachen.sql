-- People as the systems of 华辰 have them. Most systems know a person by an id of their own and
-- keep no list that is fetched; a directory drops who has left, while documents go on naming them.
with

    hr_employees as (select * from {{ ref("stg_hc_hr__employees") }}),
    dingtalk_users as (select * from {{ ref("stg_hc_dingtalk__users") }}),
    feishu_users as (select * from {{ ref("stg_hc_feishu__users") }}),
    yonbip_staff as (select * from {{ ref("stg_hc_yonbip__staff") }}),
    named as (select * from {{ ref("int_employees__only_named") }}),

    listed as (

        select
            'hc_hr' as source_system,
            source_employee as source_key,
            'HC' as company_code,
            source_employee as employee_no,
            employee_name as name,
            mobile,
            hired_date as hired_on,
            left_date is null as is_active
        from hr_employees
        union all by name
        select
            'hc_dingtalk' as source_system,
            source_employee as source_key,
            'HC' as company_code,
            employee_no,
            employee_name as name,
            mobile,
            hired_date as hired_on,
            coalesce(is_active, false) as is_active
        from dingtalk_users
        union all by name
        select
            'hc_feishu' as source_system,
            source_employee as source_key,
            'HC' as company_code,
            employee_no,
            employee_name as name,
            mobile,
            email,
            hired_date as hired_on,
            is_active
        from feishu_users
        union all by name
        select
            'hc_yonbip' as source_system,
            source_employee as source_key,
            'HC' as company_code,
            employee_name as name,
            mobile,
            is_active,
            changed_at
        from yonbip_staff

    ),

    only_named as (

        select named.*
        from named
        anti join
            listed on named.source_system = listed.source_system and named.source_key = listed.source_key

    )

select *
from listed
union all by name
select *
from only_named
