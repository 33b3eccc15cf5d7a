with source as (select * from {{ source("hx_stock", "stock_location") }})

select
    id as location_id,
    code as source_location_code,
    name as location_name,
    type as location_type,
    parent as parent_location_id
from source
where not _is_deleted
