with source as (select * from {{ source("hx_stock", "production_work_center") }})

select
    id as work_center_id,
    name as work_center_name,
    parent as parent_work_center_id,
    warehouse as warehouse_id,
    cast(company as text) as source_company
from source
where not _is_deleted
