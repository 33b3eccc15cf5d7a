with source as (select * from {{ source("hc_u8", "customer") }})

select
    customer_code as source_customer,
    customer_name,
    credit_code,
    address,
    phone,
    contact as contact_name,
    since as known_since_date,
    timezone('Asia/Shanghai', modified_at) as changed_at
from source
where not _is_deleted
