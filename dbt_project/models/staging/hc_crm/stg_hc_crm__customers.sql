-- `source_<thing>` is what documents of this system name a thing by.
with source as (select * from {{ source("hc_crm", "customer") }})

select
    customer_code as source_customer,
    customer_id as customer_record_id,
    customer_name,
    credit_code,
    city,
    address,
    phone,
    contact as contact_name,
    creator_id as source_creator,
    status as source_status,
    coalesce(status = '已停用', false) as is_disabled,
    created_at,
    updated_at as changed_at
from source
where not _is_deleted
