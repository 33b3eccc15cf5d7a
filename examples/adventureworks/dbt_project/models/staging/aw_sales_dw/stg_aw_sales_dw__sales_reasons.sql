select order_no, line_no, reason_key as reason_id
from {{ source("aw_sales_dw", "sales_reason") }}
where not _is_deleted
