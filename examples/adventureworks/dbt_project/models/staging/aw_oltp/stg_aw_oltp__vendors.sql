select
    cast(vendor_id as text) as source_supplier,
    account_number as supplier_code,
    vendor_name as supplier_name,
    is_active,
    modified_at as changed_at
from {{ source("aw_oltp", "vendor") }}
where not _is_deleted
