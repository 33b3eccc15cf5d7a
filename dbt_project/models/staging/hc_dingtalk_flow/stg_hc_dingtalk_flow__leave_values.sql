with source as (select * from {{ source("hc_dingtalk_flow", "leave_value") }})

select instance_id, field_id, field_name, kind as field_kind, value as field_value, created_at as started_at
from source
where not _is_deleted
