-- Amounts of lines have four decimals there; so have they here, or the total would be 67 cents off.
with lines as (select * from {{ ref("int_order_lines__adventureworks") }})

select
    sales_order_line_key,
    order_no,
    order_no as order_id,
    line_id,
    customer_key,
    product_key,
    'not_applicable' as warehouse_key,
    -- the warehouse's list of its salespeople did not come with it
    case when source_salesperson is null then 'not_applicable' else 'unmatched' end as employee_key,
    false as is_intercompany,
    order_date,
    'done' as order_status_code,
    true as is_booked,
    false as is_cancelled,
    customer_reference,
    true as is_goods,
    false as is_return,
    cast(order_qty as decimal(18, 4)) as order_qty,
    'piece' as uom_code,
    cast(order_qty as decimal(18, 4)) as order_qty_base,
    'piece' as base_uom_code,
    currency_code,
    unit_price_txn,
    cast(order_amount_tax_txn / order_amount_net_txn as decimal(9, 4)) as tax_rate,
    cast(order_amount_net_txn as decimal(18, 4)) as order_amount_net_txn,
    cast(order_amount_tax_txn as decimal(18, 4)) as order_amount_tax_txn,
    cast(order_amount_net_txn + order_amount_tax_txn as decimal(18, 4)) as order_amount_gross_txn,
    {{ at_price("order_amount_net_txn", "cny_per_unit") }} as order_amount_net_cny,
    cast(order_qty as decimal(18, 4)) as shipped_qty_base,
    cast(0 as decimal(18, 4)) as open_qty_base,
    {{ of_company("AW") }},
    'aw_sales_dw' as source_system,
    source_stream,
    line_id as source_record
from lines
