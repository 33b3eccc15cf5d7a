-- Times are wall time in UTC+8.
with source as (select * from {{ source("hc_mingdao", "machine_check") }})

select
    row_id as check_id,
    check_no,
    machine as machine_name,
    person as source_checker,
    person_name as checker_name,
    result as source_result,
    note as remark,
    checked as checked_item_count,
    odd as odd_item_count,
    timezone('Asia/Shanghai', checked_at) as checked_at,
    timezone('Asia/Shanghai', created_at) as created_at,
    timezone('Asia/Shanghai', updated_at) as changed_at
from source
where not _is_deleted
