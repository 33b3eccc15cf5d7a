-- Items count in tens.
with source as (select * from {{ source("hc_sap", "sales_order_item") }})

select
    sales_order as order_no,
    cast(sales_order_item as integer) as line_no,
    material as source_product,
    sales_order_item_text as product_name,
    requested_quantity_unit as source_uom,
    production_plant as source_plant,
    transaction_currency as currency_code,
    sales_document_rjcn_reason as rejection_reason,
    delivery_status,
    cast(requested_quantity as decimal(18, 4)) as order_qty,
    cast(net_amount as decimal(18, 2)) as order_amount_net_txn,
    cast(tax_amount as decimal(18, 2)) as order_amount_tax_txn,
    cast(net_amount + tax_amount as decimal(18, 2)) as order_amount_gross_txn,
    last_change_date_time as changed_at
from source
where not _is_deleted
