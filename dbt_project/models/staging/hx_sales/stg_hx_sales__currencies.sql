with source as (select * from {{ source("hx_sales", "currency_currency") }})

select
    id as currency_id, code as currency_code, name as currency_name, cast(digits as integer) as decimal_places
from source
where not _is_deleted
