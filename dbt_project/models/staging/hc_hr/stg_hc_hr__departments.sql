-- A department that moved has one row per place it stood at.
with source as (select * from {{ source("hc_hr", "department") }})

select
    department_code as source_department,
    department_name,
    parent_code as source_parent_department,
    valid_from,
    valid_to
from source
where not _is_deleted
