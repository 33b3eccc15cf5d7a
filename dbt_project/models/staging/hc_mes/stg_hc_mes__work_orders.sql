-- Product codes and units are the system's own.
with source as (select * from {{ source("hc_mes", "work_order") }})

select
    work_order_no,
    product_code as source_product,
    uom as source_uom,
    operator_id as source_operator,
    status as source_status,
    cast(plan_quantity as decimal(18, 4)) as planned_qty,
    cast(good_quantity as decimal(18, 4)) as stated_produced_qty,
    cast(scrap_quantity as decimal(18, 4)) as stated_scrapped_qty,
    plan_start as planned_start_date,
    plan_end as planned_date,
    finished_at,
    created_at,
    updated_at as changed_at
from source
where not _is_deleted
