-- What each work order used and yielded, from done stock moves and done work cycles. Quantities of unlike
-- materials are never added up; their cost is.
with

    stock_moves as (select * from {{ ref("int_stock_moves__conformed") }} where is_done),
    works as (select * from {{ ref("stg_hx_stock__production_works") }}),
    cycles as (select * from {{ ref("stg_hx_stock__production_work_cycles") }} where source_status = 'done'),

    entries as (

        select
            output_production_id as production_id,
            move_qty_base as produced_qty,
            stock_value_amount_cny as output_cost_cny,
            0 as issue_cost_cny,
            0 as labour_cost_cny
        from stock_moves
        where output_production_id is not null
        union all
        select issue_production_id, 0, 0, move_cost_amount_cny, 0
        from stock_moves
        where issue_production_id is not null
        union all
        select works.production_id, 0, 0, 0, cycles.cycle_cost_cny
        from cycles
        left join works on cycles.work_id = works.work_id

    )

select
    production_id,
    sum(produced_qty) as produced_qty,
    sum(output_cost_cny) as output_cost_amount_cny,
    sum(issue_cost_cny) as issue_cost_amount_cny,
    sum(labour_cost_cny) as labour_cost_amount_cny
from entries
group by production_id
