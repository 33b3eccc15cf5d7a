with source as (select * from {{ source("hx_stock", "stock_inventory") }})

select
    id as stock_count_id,
    cast(number as text) as stock_count_no,
    location as location_id,
    state as source_status,
    cast(date as date) as count_date
from source
where not _is_deleted
