-- The receipt and the material are typed by hand. Times are wall time in UTC+8.
with source as (select * from {{ source("hc_h3yun", "quality_check") }})

select
    object_id as check_id,
    check_no,
    name as subject,
    receipt as receipt_no,
    material as source_product,
    created_by as source_creator,
    result as source_result,
    reason as rejection_reason,
    cast(checked as decimal(18, 4)) as checked_qty,
    cast(rejected as decimal(18, 4)) as rejected_qty,
    timezone('Asia/Shanghai', checked_at) as checked_at,
    timezone('Asia/Shanghai', created_time) as created_at,
    timezone('Asia/Shanghai', modified_time) as changed_at
from source
where not _is_deleted
