select
    cast(employee_id as text) as source_employee,
    cast(department_id as text) as source_department,
    started_on as valid_from,
    ended_on as valid_to
from {{ source("aw_oltp", "employee_department") }}
where not _is_deleted
