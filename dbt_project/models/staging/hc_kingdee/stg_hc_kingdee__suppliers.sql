with source as (select * from {{ source("hc_kingdee", "supplier") }})

select
    supplier_code as source_supplier,
    supplier_id,
    supplier_name,
    credit_code,
    -- the company keeps the city in the field of the region
    region as city,
    address,
    phone,
    contact as contact_name,
    status_code as source_status,
    coalesce(forbidden_code = 'B', false) as is_disabled,
    timezone('Asia/Shanghai', created_at) as created_at,
    timezone('Asia/Shanghai', modified_at) as changed_at
from source
where not _is_deleted
