with source as (select * from {{ source("hc_u8", "warehouse") }})

select warehouse_code as source_warehouse, warehouse_name
from source
where not _is_deleted
