with source as (select * from {{ source("hx_stock", "production") }})

select
    id as production_id,
    cast(number as text) as work_order_no,
    state as source_status,
    type as work_order_type,
    product as product_id,
    unit as uom_id,
    warehouse as warehouse_id,
    work_center as work_center_id,
    cast(quantity as decimal(18, 4)) as planned_qty,
    cast(planned_start_date as date) as planned_start_date,
    cast(planned_date as date) as planned_date,
    cast(effective_start_date as date) as started_date,
    cast(effective_date as date) as effective_date
from source
where not _is_deleted
