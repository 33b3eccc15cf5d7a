select
    order_no,
    line_no,
    cast(product_key as text) as source_product,
    'C' || customer_key as source_customer,
    cast(null as text) as source_salesperson,
    {{ aw_day("order_date") }} as order_date,
    -- the month as its own calendar has it: 4,170 days are no number of months
    cast(date_trunc('month', order_date) as date) as source_month_start_date,
    {{ aw_day("ship_date") }} as ship_date,
    {{ aw_day("due_date") }} as due_date,
    quantity as order_qty,
    unit_price as price_before_discount_txn,
    cast(round(discount, 4) as decimal(19, 4)) as discount_amount_txn,
    amount_net as order_amount_net_txn,
    amount_tax as order_amount_tax_txn,
    freight as freight_amount_txn,
    cost as cost_amount_txn,
    customer_reference
from {{ source("aw_sales_dw", "internet_sales") }}
where not _is_deleted
