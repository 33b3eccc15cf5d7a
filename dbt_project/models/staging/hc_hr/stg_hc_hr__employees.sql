with source as (select * from {{ source("hc_hr", "employee") }})

select
    employee_no as source_employee,
    employee_name,
    job_title,
    phone as mobile,
    hired_on as hired_date,
    left_on as left_date
from source
where not _is_deleted
