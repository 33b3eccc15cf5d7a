-- Received is what receipts say, open what moves still expected say: that the two add up to the order is a
-- claim to test, not a subtraction made here.
with

    order_lines as (select * from {{ ref("int_purchase_order_lines__priced") }}),
    stock_moves as (
        select *
        from {{ ref("int_stock_moves__conformed") }}
        where move_kind in ('receipt', 'supplier_return')
    ),
    suppliers as ({{ known_to("hx_purchasing", "supplier") }}),
    products as ({{ known_to("hx_stock", "product") }}),
    warehouses as (select * from {{ ref("dim_warehouse") }} where coalesce(company_code, 'HX') = 'HX'),

    signed_moves as (

        select
            *, case when move_kind = 'receipt' then move_qty_base else - move_qty_base end as signed_qty_base
        from stock_moves

    ),

    receipts as (

        select
            purchase_line_id,
            sum(case when is_done then signed_qty_base else 0 end) as received_qty_base,
            sum(case when is_open then signed_qty_base else 0 end) as open_qty_base
        from signed_moves
        where purchase_line_id is not null
        group by purchase_line_id

    )

select
    {{ key(["'purchase_order_line'", "order_lines.line_id"]) }} as purchase_order_line_key,
    order_lines.order_no,
    cast(order_lines.line_id as text) as line_id,
    coalesce(suppliers.supplier_key, 'unmatched') as supplier_key,
    coalesce(products.product_key, 'unmatched') as product_key,
    coalesce(warehouses.warehouse_key, 'unmatched') as warehouse_key,
    order_lines.order_date,
    order_lines.order_status_code,
    order_lines.order_status_code in ('confirmed', 'processing', 'done') as is_ordered,
    order_lines.order_status_code = 'cancelled' as is_cancelled,
    coalesce(order_lines.product_kind in ('goods', 'assets'), false) as is_goods,
    order_lines.invoice_method,
    order_lines.currency_code,
    order_lines.order_qty,
    order_lines.uom_code,
    order_lines.order_qty_base,
    order_lines.base_uom_code,
    order_lines.unit_price_txn,
    cast(order_lines.tax_rate as decimal(9, 4)) as tax_rate,
    order_lines.order_amount_net_txn,
    order_lines.order_amount_net_cny,
    cast(coalesce(receipts.received_qty_base, 0) as decimal(18, 4)) as received_qty_base,
    cast(coalesce(receipts.open_qty_base, 0) as decimal(18, 4)) as open_qty_base,
    'not_applicable' as employee_key,
    'not_applicable' as organisation_key,
    {{ of_company("HX") }},
    {{ provenance("hx_purchasing", "purchase_order_line", "order_lines.line_id") }}
from order_lines
left join receipts on order_lines.line_id = receipts.purchase_line_id
left join suppliers on order_lines.supplier_code = suppliers.known_as
left join products on order_lines.product_code = products.known_as
left join warehouses on order_lines.warehouse_code = warehouses.warehouse_code
