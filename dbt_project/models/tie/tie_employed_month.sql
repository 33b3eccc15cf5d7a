-- Who was employed at the end of each month, as the staff register says: hired by then and not gone. One
-- row per
-- person and month that has a payroll.
with

    employees as (select * from {{ ref("stg_hc_hr__employees") }}),
    months as (
        select distinct month_end_date from {{ ref("fct_headcount_month") }} where company_code = 'HC'
    ),
    known as ({{ known_to("hc_hr", "employee") }})

select
    months.month_end_date,
    coalesce(known.employee_key, 'unmatched') as employee_key,
    'HC' as company_code,
    {{ provenance("hc_hr", "employee", "employees.source_employee") }}
from months
inner join
    employees
    on employees.hired_date <= months.month_end_date
    and (employees.left_date is null or employees.left_date > months.month_end_date)
left join known on employees.source_employee = known.known_as
