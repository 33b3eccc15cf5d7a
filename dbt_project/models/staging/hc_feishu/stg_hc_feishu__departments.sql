-- The company's own code of a department is beside the system's; '0' is the root.
with source as (select * from {{ source("hc_feishu", "department") }})

select
    department_id as source_department,
    department_code,
    department_name,
    parent_department_id as source_parent_department,
    member_count
from source
where not _is_deleted
