-- What work orders delivered into stock, at standard cost.
with

    stock_moves as (
        select * from {{ ref("int_stock_moves__huachen") }} where move_kind = 'production_output'
    ),
    work_orders as (select * from {{ ref("stg_hc_mes__work_orders") }})

select
    {{ key(["'production_output'", "'hc_u8'", "stock_moves.stock_move_id"]) }} as production_output_key,
    stock_moves.stock_move_id,
    case
        when work_orders.work_order_no is null
        then 'unmatched'
        else {{ key(["'work_order'", "'hc_mes'", "work_orders.work_order_no"]) }}
    end as work_order_key,
    stock_moves.source_document as work_order_no,
    stock_moves.product_key,
    stock_moves.to_warehouse_key as warehouse_key,
    'not_applicable' as organisation_key,
    stock_moves.move_date as effective_date,
    stock_moves.status_code,
    stock_moves.is_done,
    if(stock_moves.is_done, stock_moves.move_qty_base, 0) as produced_qty,
    stock_moves.base_uom_code,
    stock_moves.cost_price_cny as unit_cost_cny,
    if(stock_moves.is_done, stock_moves.stock_value_amount_cny, 0) as output_cost_amount_cny,
    stock_moves.company_code,
    stock_moves.company_key,
    stock_moves.source_system,
    stock_moves.source_stream,
    stock_moves.source_record
from stock_moves
left join work_orders on stock_moves.source_document = work_orders.work_order_no
