with source as (select * from {{ source("hc_yonbip", "staff") }})

select
    staff_id as source_employee,
    staff_name as employee_name,
    mobile,
    department_id as source_department,
    organisation_id as source_organisation,
    coalesce(enabled_code = 1, false) as is_active,
    timezone('Asia/Shanghai', changed_at) as changed_at
from source
where not _is_deleted
