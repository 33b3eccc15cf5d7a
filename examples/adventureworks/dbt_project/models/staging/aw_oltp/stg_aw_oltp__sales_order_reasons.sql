select 'SO' || order_id as order_no, reason_id, modified_on as reason_date
from {{ source("aw_oltp", "sales_order_reason") }}
where not _is_deleted
