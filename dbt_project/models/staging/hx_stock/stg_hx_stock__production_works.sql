with source as (select * from {{ source("hx_stock", "production_work") }})

select id as work_id, production as production_id, work_center as work_center_id, state as source_status
from source
where not _is_deleted
