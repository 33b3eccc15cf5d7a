with employees as (select * from {{ ref("stg_aw_oltp__employees") }})

select
    'aw_oltp' as source_system,
    source_employee as source_key,
    'AW' as company_code,
    source_employee as employee_no,
    employee_name as name,
    hired_date as hired_on,
    is_active
from employees
