with source as (select * from {{ source("hx_sales", "party_address") }})

select id as address_id, party as customer_id, city, street_unstructured as street
from source
where not _is_deleted
