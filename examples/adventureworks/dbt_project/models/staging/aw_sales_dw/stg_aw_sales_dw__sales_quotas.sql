select
    cast(quota_key as text) as quota_id, {{ aw_day("quota_date") }} as quota_date, amount as quota_amount_txn
from {{ source("aw_sales_dw", "sales_quota") }}
where not _is_deleted
