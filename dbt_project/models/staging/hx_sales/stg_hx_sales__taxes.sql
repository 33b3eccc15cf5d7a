with source as (select * from {{ source("hx_sales", "account_tax") }})

select id as tax_id, name as tax_name, cast(rate as decimal(9, 4)) as tax_rate
from source
where not _is_deleted
