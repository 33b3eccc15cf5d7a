with source as (select * from {{ source("hx_stock", "production_work_cycle") }})

select
    id as work_cycle_id,
    work as work_id,
    state as source_status,
    cast(cost as decimal(18, 4)) as cycle_cost_cny
from source
where not _is_deleted
