select
    'R' || reseller_key as source_customer,
    account_number,
    reseller_name as customer_name,
    address,
    phone,
    geography_key
from {{ source("aw_sales_dw", "reseller") }}
where not _is_deleted
