with source as (select * from {{ source("hx_finance", "company") }})

select id as company_id, code as company_code, name as company_name, currency_code
from source
where not _is_deleted
