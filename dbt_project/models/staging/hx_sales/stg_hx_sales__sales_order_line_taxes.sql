with source as (select * from {{ source("hx_sales", "sale_line_account_tax") }})

select id as line_tax_id, line as line_id, tax as tax_id
from source
where not _is_deleted
