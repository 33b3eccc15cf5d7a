with source as (select * from {{ source("hx_stock", "partner") }})

select id as partner_id, code as partner_code, name as partner_name
from source
where not _is_deleted
