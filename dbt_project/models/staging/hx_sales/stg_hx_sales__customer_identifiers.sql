with source as (select * from {{ source("hx_sales", "party_identifier") }})

select id as identifier_id, party as customer_id, type as identifier_type, code as identifier_code
from source
where not _is_deleted
