-- What a daily stock balance is made of, so that it can be traced: each done move once for the warehouse it
-- leaves and once for the one it enters. A view: nothing is stored twice.
{{ config(schema="marts", materialized="view") }}

with
    stock_moves as (select * from {{ ref("fct_stock_move") }} where is_done),

    legs as (

        select
            stock_move_key,
            product_key,
            to_warehouse_key as warehouse_key,
            move_date,
            stated_qty_base as leg_qty_base,
            base_uom_code,
            company_code,
            company_key,
            source_system,
            source_stream,
            source_record
        from stock_moves
        union all
        select
            stock_move_key,
            product_key,
            from_warehouse_key,
            move_date,
            - stated_qty_base,
            base_uom_code,
            company_code,
            company_key,
            source_system,
            source_stream,
            source_record
        from stock_moves

    )

select
    legs.stock_move_key,
    legs.product_key,
    legs.warehouse_key,
    legs.move_date,
    legs.leg_qty_base,
    legs.base_uom_code,
    legs.company_code,
    legs.company_key,
    legs.source_system,
    legs.source_stream,
    legs.source_record
from legs
left join {{ ref("dim_warehouse") }} as warehouses on legs.warehouse_key = warehouses.warehouse_key
-- suppliers, customers, production and losses are places, but no warehouse
where warehouses.warehouse_code <> 'not_applicable'
