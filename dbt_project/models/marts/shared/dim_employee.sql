with employees as (select * from {{ ref("stg_hx_people__employees") }})

select
    {{ key(["'employee'", "employee_no"]) }} as employee_key,
    employee_no,
    employee_name,
    phone,
    hired_on,
    {{ provenance("hx_people", "employee", "employee_no") }}
from employees
union all by name
select
    'unmatched' as employee_key,
    'unmatched' as employee_no,
    '未匹配' as employee_name,
    {{ provenance("tieout", "special_member", "'unmatched'") }}
