-- The root (1) is not listed.
with source as (select * from {{ source("hc_dingtalk", "department") }})

select
    cast(department_id as text) as source_department,
    department_name,
    cast(parent_department_id as text) as source_parent_department
from source
where not _is_deleted
