-- One row per line of a supplier's invoice (应付单), the head repeated on each.
with source as (select * from {{ source("hc_kingdee", "payable_line") }})

select
    bill_id as invoice_id,
    line_id as invoice_line_id,
    bill_no as invoice_no,
    line_no,
    supplier_code as source_supplier,
    material_code as source_product,
    order_no,
    source_no as receipt_no,
    currency_code,
    status_code as source_status,
    settled_code as settlement_status,
    bill_date as invoice_date,
    due_date,
    cast(quantity as decimal(18, 4)) as invoice_qty,
    cast(amount_net as decimal(18, 4)) as invoice_amount_net_txn,
    cast(tax_amount as decimal(18, 4)) as invoice_amount_tax_txn,
    cast(amount_gross as decimal(18, 4)) as invoice_amount_gross_txn,
    -- of the whole document, repeated on every line: never summed
    cast(bill_amount_gross as decimal(18, 4)) as stated_document_gross_txn,
    cast(bill_settled_amount as decimal(18, 4)) as stated_document_settled_txn,
    timezone('Asia/Shanghai', approved_at) as approved_at,
    timezone('Asia/Shanghai', created_at) as created_at,
    timezone('Asia/Shanghai', modified_at) as changed_at
from source
where not _is_deleted
