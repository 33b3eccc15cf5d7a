-- Items of a credit memo are positive too; the type is on the document. Items count in tens.
with source as (select * from {{ source("hc_sap", "billing_document_item") }})

select
    billing_document as invoice_no,
    cast(billing_document_item as integer) as line_no,
    material as source_product,
    billing_quantity_unit as source_uom,
    transaction_currency as currency_code,
    sales_document as order_no,
    cast(sales_document_item as integer) as order_line_no,
    cast(billing_quantity as decimal(18, 4)) as invoice_qty,
    cast(net_amount as decimal(18, 2)) as invoice_amount_net_txn,
    cast(tax_amount as decimal(18, 2)) as invoice_amount_tax_txn,
    cast(net_amount + tax_amount as decimal(18, 2)) as invoice_amount_gross_txn,
    last_change_date_time as changed_at
from source
where not _is_deleted
