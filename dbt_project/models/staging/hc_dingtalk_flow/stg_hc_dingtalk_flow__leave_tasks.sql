with source as (select * from {{ source("hc_dingtalk_flow", "leave_task") }})

select
    instance_id,
    task_id as step_id,
    activity_id,
    approver_id as source_approver,
    status_code as source_status,
    result_code as source_result,
    created_at as started_at,
    assigned_at,
    decided_at
from source
where not _is_deleted
