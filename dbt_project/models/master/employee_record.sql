-- People as each system has them, not yet matched. Most systems know a person by an id of their own and
-- keep no list that is fetched; a directory drops who has left, while documents go on naming them.
with

    hr_employees as (select * from {{ ref("stg_hc_hr__employees") }}),
    dingtalk_users as (select * from {{ ref("stg_hc_dingtalk__users") }}),
    feishu_users as (select * from {{ ref("stg_hc_feishu__users") }}),
    yonbip_staff as (select * from {{ ref("stg_hc_yonbip__staff") }}),
    hx_employees as (select * from {{ ref("stg_hx_people__employees") }}),
    named as (select * from {{ ref("int_employees__only_named") }}),
    said_same as (select * from {{ ref("int_records__said_same") }} where entity = 'employee'),

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
        union all by name
        select
            'hx_people' as source_system,
            employee_no as source_key,
            'HX' as company_code,
            employee_no,
            employee_name as name,
            phone as mobile,
            hired_on,
            true as is_active
        from hx_employees

    ),

    only_named as (

        select named.*
        from named
        anti join
            listed on named.source_system = listed.source_system and named.source_key = listed.source_key

    ),

    records as (

        select *
        from listed
        union all by name
        select *
        from only_named

    )

    {{ recorded("employee_no name mobile email hired_on") }}
