-- Material from suppliers (U8), at the price of the order line it answers.
with

    receipts as (select * from {{ ref("stg_hc_u8__goods_receipts") }}),
    receipt_lines as (select * from {{ ref("stg_hc_u8__goods_receipt_lines") }}),
    orders as (select * from {{ ref("stg_hc_u8__purchase_orders") }}),
    order_lines as (select * from {{ ref("stg_hc_u8__purchase_order_lines") }}),
    items as (select * from {{ ref("int_items__huachen") }}),
    suppliers as ({{ known_to("hc_u8", "supplier") }}),
    warehouses as (select * from {{ ref("dim_warehouse") }} where source_system = 'hc_u8'),

    priced as (

        select
            receipt_lines.*,
            receipts.* exclude (document_id, created_at),
            order_lines.unit_price_txn,
            coalesce(orders.currency_code, '{{ var("reporting_currency") }}') as currency_code,
            case when receipts.is_approved then receipt_lines.receipt_qty else 0 end as done_qty
        from receipt_lines
        left join receipts on receipt_lines.document_id = receipts.document_id
        left join order_lines on receipt_lines.order_line_id = order_lines.line_id
        left join orders on order_lines.order_id = orders.order_id

    ),

    rated as ({{ priced_on("priced", "receipt_date") }})

select
    {{ key(["'goods_receipt_line'", "'hc_u8'", "rated.line_id"]) }} as goods_receipt_line_key,
    'goods_receipt ' || rated.line_id as stock_move_id,
    rated.receipt_no as shipment_no,
    rated.receipt_no as shipment_reference,
    case when rated.receipt_qty < 0 then 'supplier_return' else 'receipt' end as receipt_kind,
    case
        when rated.order_line_id is null
        then 'unmatched'
        else {{ key(["'purchase_order_line'", "'hc_u8'", "rated.order_line_id"]) }}
    end as purchase_order_line_key,
    coalesce(suppliers.supplier_key, 'unmatched') as supplier_key,
    coalesce(items.product_key, 'unmatched') as product_key,
    coalesce(warehouses.warehouse_key, 'unmatched') as warehouse_key,
    rated.receipt_date,
    case when rated.is_approved then 'done' else 'draft' end as status_code,
    rated.is_approved as is_received,
    not rated.is_approved as is_open,
    cast(rated.done_qty as decimal(18, 4)) as receipt_qty,
    items.uom_code,
    cast(rated.done_qty as decimal(18, 4)) as receipt_qty_base,
    cast(rated.receipt_qty - rated.done_qty as decimal(18, 4)) as open_qty_base,
    items.base_uom_code,
    rated.currency_code,
    cast(rated.unit_price_txn as decimal(18, 4)) as unit_price_txn,
    cast(round(rated.done_qty * rated.unit_price_txn, 2) as decimal(18, 2)) as received_amount_net_txn,
    {{ at_price("rated.done_qty * rated.unit_price_txn", "rated.cny_per_unit") }} as received_amount_net_cny,
    {{ of_company("HC") }},
    {{ provenance("hc_u8", "goods_receipt_line", "rated.line_id") }}
from rated
left join items on rated.source_product = items.source_product
left join suppliers on rated.source_supplier = suppliers.known_as
left join warehouses on rated.source_warehouse = warehouses.warehouse_code
