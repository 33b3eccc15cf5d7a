-- Who has left is still listed. The first department is the main one.
with source as (select * from {{ source("hc_dingtalk", "user") }})

select
    user_id as source_employee,
    union_id,
    user_name as employee_name,
    employee_no,
    job_title,
    mobile,
    json_extract_string(department_ids, '$[0]') as source_department,
    json_extract_string(department_ids, '$[*]') as source_departments,
    is_active,
    cast(timezone('Asia/Shanghai', hired_at) as date) as hired_date
from source
where not _is_deleted
