select cast(employee_id as text) as source_employee, quota_date, amount as quota_amount_txn
from {{ source("aw_oltp", "sales_quota") }}
where not _is_deleted
