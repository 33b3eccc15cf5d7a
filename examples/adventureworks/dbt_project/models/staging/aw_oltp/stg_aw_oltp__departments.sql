select cast(department_id as text) as source_department, department_name
from {{ source("aw_oltp", "department") }}
where not _is_deleted
