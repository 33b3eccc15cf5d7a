with source as (select * from {{ source("hx_sales", "party_party") }})

select id as customer_id, code as customer_code, name as customer_name, active as is_active
from source
where not _is_deleted
