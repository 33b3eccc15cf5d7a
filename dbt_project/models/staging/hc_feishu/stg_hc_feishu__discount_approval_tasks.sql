with source as (select * from {{ source("hc_feishu", "discount_approval_task") }})

select
    instance_id,
    task_id as step_id,
    node_name as step_name,
    approver_id as source_approver,
    status_code as source_status,
    started_at,
    assigned_at,
    decided_at
from source
where not _is_deleted
