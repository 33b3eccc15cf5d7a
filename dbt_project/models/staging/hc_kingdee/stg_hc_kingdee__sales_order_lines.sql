-- One row per line, the head repeated on each. The source document is what the order came from; the
-- subsidiary's orders are written with its company code before them (HCE:452024020001).
with source as (select * from {{ source("hc_kingdee", "sales_order_line") }})

select
    order_id,
    line_id,
    order_no,
    line_no,
    customer_code as source_customer,
    salesperson_code as source_salesperson,
    material_code as source_product,
    uom_code as source_uom,
    currency_code,
    status_code as source_status,
    coalesce(closed_code = 'B', false) as is_closed,
    case when contains(source_no, ':') then split_part(source_no, ':', 1) end as source_document_company,
    split_part(source_no, ':', -1) as source_document,
    order_date,
    delivery_date as planned_ship_date,
    cast(quantity as decimal(18, 4)) as order_qty,
    cast(price_net as decimal(18, 4)) as unit_price_txn,
    cast(tax_percent / 100 as decimal(9, 4)) as tax_rate,
    cast(amount_net as decimal(18, 4)) as order_amount_net_txn,
    cast(tax_amount as decimal(18, 4)) as order_amount_tax_txn,
    cast(amount_gross as decimal(18, 4)) as order_amount_gross_txn,
    -- the system's own running totals: compared, never summed
    cast(delivered_quantity as decimal(18, 4)) as stated_shipped_qty,
    cast(invoiced_quantity as decimal(18, 4)) as stated_invoiced_qty,
    timezone('Asia/Shanghai', approved_at) as approved_at,
    timezone('Asia/Shanghai', created_at) as created_at,
    timezone('Asia/Shanghai', modified_at) as changed_at
from source
where not _is_deleted
