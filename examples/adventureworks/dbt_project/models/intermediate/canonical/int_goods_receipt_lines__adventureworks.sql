-- What came in, and what was refused at the door and went back: two rows, so that the stocked quantity is
-- their
-- sum.
with

    lines as (select * from {{ ref("int_purchase_lines__adventureworks") }}),

    moved as (

        select 'receipt' as receipt_kind, received_qty as moved_qty, *
        from lines
        where received_qty <> 0
        union all
        select 'supplier_return', - rejected_qty, *
        from lines
        where rejected_qty <> 0

    )

select
    {{ key(["'goods_receipt_line'", "'aw_oltp'", "receipt_kind", "line_id"]) }} as goods_receipt_line_key,
    receipt_kind || ' ' || line_id as stock_move_id,
    order_no as shipment_no,
    order_no as shipment_reference,
    receipt_kind,
    purchase_order_line_key,
    supplier_key,
    product_key,
    'not_applicable' as warehouse_key,
    receipt_date,
    'done' as status_code,
    true as is_received,
    false as is_open,
    cast(moved_qty as decimal(18, 4)) as receipt_qty,
    'piece' as uom_code,
    cast(moved_qty as decimal(18, 4)) as receipt_qty_base,
    cast(0 as decimal(18, 4)) as open_qty_base,
    'piece' as base_uom_code,
    currency_code,
    cast(unit_price_txn as decimal(18, 4)) as unit_price_txn,
    cast(moved_qty * unit_price_txn as decimal(18, 4)) as received_amount_net_txn,
    {{ at_price("moved_qty * unit_price_txn", "cny_per_unit_received") }} as received_amount_net_cny,
    {{ of_company("AW") }},
    {{ provenance("aw_oltp", "purchase_order_line", "line_id") }}
from moved
