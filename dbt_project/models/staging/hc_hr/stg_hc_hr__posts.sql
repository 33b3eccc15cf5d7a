with source as (select * from {{ source("hc_hr", "post") }})

select employee_no as source_employee, department_code as source_department, department_name, valid_from
from source
where not _is_deleted
