-- Pay of people whom the payroll and the list of posts put into different departments: it leaves the one
-- the posts
-- say (ours) and comes to the one the payroll says, which is the one the ledger posts to.
with

    payrolls as (select * from {{ ref("stg_hc_hr__payrolls") }}),
    departments as (
        select distinct source_department, department_name from {{ ref("stg_hc_hr__departments") }}
    ),
    paid as (select * from {{ ref("fct_headcount_month") }} where source_system = 'hc_hr'),

    moved as (

        select
            paid.*,
            {{ key(["'organisation'", "'HC-' || departments.source_department"]) }} as stated_organisation_key
        from payrolls
        inner join paid on paid.source_record = payrolls.month_end_date || '|' || payrolls.source_employee
        inner join departments on payrolls.department_name = departments.department_name
        where paid.organisation_key <> stated_organisation_key

    ),

    both_ends as (

        select organisation_key, - gross_pay_amount_cny as amount_cny, * exclude (organisation_key)
        from moved
        union all
        select stated_organisation_key, gross_pay_amount_cny, * exclude (organisation_key)
        from moved

    )

select
    organisation_key,
    employee_key,
    month_end_date,
    amount_cny,
    company_code,
    source_system,
    source_stream,
    source_record
from both_ends
