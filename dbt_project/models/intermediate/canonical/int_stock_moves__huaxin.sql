with

    stock_moves as (select * from {{ ref("int_stock_moves__conformed") }}),
    products as ({{ known_to("hx_stock", "product") }}),
    warehouses as (select * from {{ ref("dim_warehouse") }} where coalesce(company_code, 'HX') = 'HX')

select
    {{ key(["'stock_move'", "stock_moves.stock_move_id"]) }} as stock_move_key,
    cast(stock_moves.stock_move_id as text) as stock_move_id,
    coalesce(products.product_key, 'unmatched') as product_key,
    stock_moves.from_location_code,
    stock_moves.to_location_code,
    coalesce(from_warehouses.warehouse_key, 'unmatched') as from_warehouse_key,
    coalesce(to_warehouses.warehouse_key, 'unmatched') as to_warehouse_key,
    stock_moves.from_location_type,
    stock_moves.to_location_type,
    stock_moves.move_kind,
    stock_moves.planned_date,
    stock_moves.move_date,
    stock_moves.status_code,
    stock_moves.is_done,
    stock_moves.is_open,
    stock_moves.move_qty,
    stock_moves.uom_code,
    stock_moves.move_qty_base,
    stock_moves.stated_qty_base,
    stock_moves.base_uom_code,
    stock_moves.currency_code,
    stock_moves.unit_price_txn,
    stock_moves.cost_price_cny,
    stock_moves.move_cost_amount_cny,
    stock_moves.stock_value_amount_cny,
    stock_moves.shipment_no,
    stock_moves.shipment_reference,
    stock_moves.source_document,
    {{ of_company("HX") }},
    {{ provenance("hx_stock", "stock_move", "stock_moves.stock_move_id") }}
from stock_moves
left join products on stock_moves.product_code = products.known_as
left join warehouses as from_warehouses on stock_moves.from_warehouse_code = from_warehouses.warehouse_code
left join warehouses as to_warehouses on stock_moves.to_warehouse_code = to_warehouses.warehouse_code
