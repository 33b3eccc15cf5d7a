with

    stock_moves as (
        select * from {{ ref("int_stock_moves__conformed") }} where move_kind = 'production_issue'
    ),
    work_orders as (select * from {{ ref("int_work_orders__huaxin") }}),
    products as ({{ known_to("hx_stock", "product") }}),
    warehouses as (select * from {{ ref("dim_warehouse") }} where coalesce(company_code, 'HX') = 'HX')

select
    {{ key(["'material_issue'", "stock_moves.stock_move_id"]) }} as material_issue_key,
    cast(stock_moves.stock_move_id as text) as stock_move_id,
    coalesce(work_orders.work_order_key, 'unmatched') as work_order_key,
    work_orders.work_order_no,
    coalesce(products.product_key, 'unmatched') as product_key,
    coalesce(warehouses.warehouse_key, 'unmatched') as warehouse_key,
    coalesce(work_orders.organisation_key, 'unmatched') as organisation_key,
    stock_moves.move_date as effective_date,
    stock_moves.status_code,
    stock_moves.is_done,
    cast(
        case when stock_moves.is_done then stock_moves.move_qty_base else 0 end as decimal(18, 4)
    ) as issued_qty_base,
    stock_moves.base_uom_code,
    stock_moves.cost_price_cny,
    cast(
        case
            when stock_moves.is_done then coalesce(stock_moves.move_cost_amount_cny, 0) else 0
        end as decimal(18, 2)
    ) as issue_cost_amount_cny,
    {{ of_company("HX") }},
    {{ provenance("hx_stock", "stock_move", "stock_moves.stock_move_id") }}
from stock_moves
left join work_orders on cast(stock_moves.issue_production_id as text) = work_orders.production_id
left join products on stock_moves.product_code = products.known_as
left join warehouses on stock_moves.from_warehouse_code = warehouses.warehouse_code
