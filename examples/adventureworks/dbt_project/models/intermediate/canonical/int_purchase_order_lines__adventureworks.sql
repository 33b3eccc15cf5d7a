-- What a finished order lacks is not open; what one that nobody approved has brought is still received.
with lines as (select * from {{ ref("int_purchase_lines__adventureworks") }})

select
    purchase_order_line_key,
    order_no,
    cast(line_id as text) as line_id,
    supplier_key,
    product_key,
    'not_applicable' as warehouse_key,
    employee_key,
    organisation_key,
    order_date,
    planned_receipt_date,
    order_status_code,
    order_status_code in ('confirmed', 'processing', 'done', 'closed') as is_ordered,
    order_status_code = 'cancelled' as is_cancelled,
    true as is_goods,
    currency_code,
    cast(order_qty as decimal(18, 4)) as order_qty,
    'piece' as uom_code,
    cast(order_qty as decimal(18, 4)) as order_qty_base,
    'piece' as base_uom_code,
    cast(unit_price_txn as decimal(18, 4)) as unit_price_txn,
    cast(order_amount_net_txn as decimal(18, 4)) as order_amount_net_txn,
    {{ at_price("order_amount_net_txn", "cny_per_unit") }} as order_amount_net_cny,
    cast(received_qty - rejected_qty as decimal(18, 4)) as received_qty_base,
    cast(
        case
            when order_status_code = 'confirmed'
            then greatest(order_qty - received_qty + rejected_qty, 0)
            else 0
        end as decimal(18, 4)
    ) as open_qty_base,
    {{ of_company("AW") }},
    {{ provenance("aw_oltp", "purchase_order_line", "line_id") }}
from lines
