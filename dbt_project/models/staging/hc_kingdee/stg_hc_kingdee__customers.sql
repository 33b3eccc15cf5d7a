-- `source_<thing>` is what documents of this system name a thing by. Times are the server's wall clock.
with source as (select * from {{ source("hc_kingdee", "customer") }})

select
    customer_code as source_customer,
    customer_id,
    customer_name,
    credit_code,
    country_code,
    -- the company keeps the city in the field of the region
    region as city,
    address,
    phone,
    contact as contact_name,
    organisation_code as source_organisation,
    status_code as source_status,
    coalesce(forbidden_code = 'B', false) as is_disabled,
    timezone('Asia/Shanghai', created_at) as created_at,
    timezone('Asia/Shanghai', modified_at) as changed_at
from source
where not _is_deleted
