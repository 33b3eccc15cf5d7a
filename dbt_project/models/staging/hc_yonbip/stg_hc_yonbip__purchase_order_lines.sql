-- One row per line, the head repeated on each. Times are wall clock of UTC+8.
with source as (select * from {{ source("hc_yonbip", "purchase_order_line") }})

select
    order_id,
    line_id,
    order_no,
    line_no,
    vendor_id as source_supplier,
    vendor_name as supplier_name,
    buyer_id as source_buyer,
    organisation_id as source_organisation,
    item_code as source_product,
    item_name as product_name,
    uom_code as source_uom,
    currency_code,
    cast(status_code as text) as source_status,
    order_date,
    due_date as planned_receipt_date,
    cast(quantity as decimal(18, 4)) as order_qty,
    cast(price_net as decimal(18, 4)) as unit_price_txn,
    cast(tax_percent / 100 as decimal(9, 4)) as tax_rate,
    cast(amount_net as decimal(18, 4)) as order_amount_net_txn,
    cast(tax_amount as decimal(18, 4)) as order_amount_tax_txn,
    cast(amount_gross as decimal(18, 4)) as order_amount_gross_txn,
    -- the system's own running total: compared, never summed
    cast(received_quantity as decimal(18, 4)) as stated_received_qty,
    timezone('Asia/Shanghai', created_at) as created_at,
    timezone('Asia/Shanghai', approved_at) as approved_at,
    timezone('Asia/Shanghai', changed_at) as changed_at
from source
where not _is_deleted
