with source as (select * from {{ source("hc_dingtalk", "attendance") }})

select
    user_id as source_employee,
    check_type as source_check_type,
    time_result as source_time_result,
    location_result as source_location_result,
    work_date,
    planned_at,
    checked_at
from source
where not _is_deleted
