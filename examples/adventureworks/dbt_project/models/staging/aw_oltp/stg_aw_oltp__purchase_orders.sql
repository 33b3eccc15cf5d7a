-- Tax, freight and what is due are said of the order, never of its lines.
select
    order_id,
    cast(order_id as text) as order_no,
    status as source_status,
    cast(vendor_id as text) as source_supplier,
    cast(buyer_id as text) as source_buyer,
    order_date,
    ship_date,
    amount_net as order_amount_net_txn,
    amount_tax as order_amount_tax_txn,
    freight as freight_amount_txn,
    amount_due as order_amount_due_txn
from {{ source("aw_oltp", "purchase_order") }}
where not _is_deleted
