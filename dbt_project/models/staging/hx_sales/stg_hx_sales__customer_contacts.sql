with source as (select * from {{ source("hx_sales", "party_contact_mechanism") }})

select id as contact_id, party as customer_id, type as contact_type, value as contact_value
from source
where not _is_deleted
