with source as (select * from {{ source("hx_stock", "currency_currency") }})

select id as currency_id, code as currency_code
from source
where not _is_deleted
