select
    order_no,
    line_no,
    cast(product_key as text) as source_product,
    'R' || reseller_key as source_customer,
    cast(salesperson_key as text) as source_salesperson,
    {{ aw_day("order_date") }} as order_date,
    {{ aw_day("ship_date") }} as ship_date,
    {{ aw_day("due_date") }} as due_date,
    quantity as order_qty,
    amount_net as order_amount_net_txn,
    amount_tax as order_amount_tax_txn,
    freight as freight_amount_txn,
    cost as cost_amount_txn,
    customer_reference
from {{ source("aw_sales_dw", "reseller_sales") }}
where not _is_deleted
