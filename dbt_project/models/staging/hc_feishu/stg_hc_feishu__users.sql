-- Who has left is taken out. Approvals name a member by `user_id`, tables (多维表格) by `open_id`, which is
-- another one in every app.
with source as (select * from {{ source("hc_feishu", "user") }})

select
    user_id as source_employee,
    open_id,
    user_name as employee_name,
    employee_no,
    mobile,
    email,
    job_title,
    json_extract_string(department_ids, '$[0]') as source_department,
    json_extract_string(department_ids, '$[*]') as source_departments,
    coalesce(is_activated and not is_resigned, false) as is_active,
    cast(timezone('Asia/Shanghai', joined_at) as date) as hired_date
from source
where not _is_deleted
