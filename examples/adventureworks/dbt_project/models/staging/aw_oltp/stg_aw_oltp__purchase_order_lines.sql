select
    line_id,
    order_id,
    cast(product_id as text) as source_product,
    due_date as planned_receipt_date,
    quantity as order_qty,
    unit_price as unit_price_txn,
    amount_net as order_amount_net_txn,
    received_quantity as received_qty,
    rejected_quantity as rejected_qty,
    stocked_quantity as stocked_qty
from {{ source("aw_oltp", "purchase_order_line") }}
where not _is_deleted
