with source as (select * from {{ source("hc_yonbip", "vendor") }})

select
    vendor_id as source_supplier,
    vendor_code as supplier_code,
    vendor_name as supplier_name,
    credit_code,
    address,
    contact_phone as phone,
    contact_name,
    coalesce(is_stopped, false) as is_disabled,
    timezone('Asia/Shanghai', created_at) as created_at,
    timezone('Asia/Shanghai', changed_at) as changed_at
from source
where not _is_deleted
