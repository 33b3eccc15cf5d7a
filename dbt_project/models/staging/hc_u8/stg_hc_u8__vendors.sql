with source as (select * from {{ source("hc_u8", "vendor") }})

select
    vendor_code as source_supplier,
    vendor_name as supplier_name,
    short_name,
    credit_code,
    address,
    phone,
    contact as contact_name,
    payment_days,
    since as known_since_date,
    ended_on as disabled_date,
    timezone('Asia/Shanghai', modified_at) as changed_at
from source
where not _is_deleted
