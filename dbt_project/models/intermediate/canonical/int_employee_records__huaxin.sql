with employees as (select * from {{ ref("stg_hx_people__employees") }})

select
    'hx_people' as source_system,
    employee_no as source_key,
    'HX' as company_code,
    employee_no,
    employee_name as name,
    phone as mobile,
    hired_on,
    true as is_active
from employees
