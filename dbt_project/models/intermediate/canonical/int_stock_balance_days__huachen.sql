-- Stock at the end of every day from the first done move on, for every product and warehouse that ever saw
-- one: the running sum of what went in and out. What U8 itself says it holds is another table, to compare.
with

    stock_moves as (select * from {{ ref("int_stock_moves__huachen") }} where is_done),
    counted_to as (select * from {{ ref("int_stock__last_day") }}),

    legs as (

        select
            product_key,
            to_warehouse_key as warehouse_key,
            base_uom_code,
            move_date,
            move_qty_base as in_qty,
            cast(0 as decimal(18, 4)) as out_qty
        from stock_moves
        union all
        select product_key, from_warehouse_key, base_uom_code, move_date, 0, move_qty_base
        from stock_moves

    ),

    daily as (

        select
            product_key,
            warehouse_key,
            base_uom_code,
            move_date,
            sum(in_qty) as in_qty,
            sum(out_qty) as out_qty
        from legs
        where warehouse_key <> 'not_applicable'
        group by product_key, warehouse_key, base_uom_code, move_date

    ),

    days as (

        select
            cast(
                unnest(
                    generate_series(min(move_date), any_value(counted_to.last_day), interval 1 day)
                ) as date
            ) as balance_date
        from stock_moves
        cross join counted_to

    ),

    places as (select distinct product_key, warehouse_key, base_uom_code from daily),

    dense as (

        select
            places.product_key,
            places.warehouse_key,
            places.base_uom_code,
            days.balance_date,
            coalesce(daily.in_qty, 0) as in_qty,
            coalesce(daily.out_qty, 0) as out_qty,
            sum(coalesce(daily.in_qty, 0) - coalesce(daily.out_qty, 0)) over (
                partition by places.product_key, places.warehouse_key, places.base_uom_code
                order by days.balance_date
            ) as closing_qty
        from places
        cross join days
        left join
            daily
            on places.product_key = daily.product_key
            and places.warehouse_key = daily.warehouse_key
            and places.base_uom_code = daily.base_uom_code
            and days.balance_date = daily.move_date

    )

select
    {{ key(["'stock_balance'", "'hc_u8'", "product_key", "warehouse_key", "base_uom_code", "balance_date"]) }}
    as stock_balance_key,
    product_key,
    warehouse_key,
    balance_date,
    base_uom_code,
    cast(closing_qty - in_qty + out_qty as decimal(18, 4)) as opening_qty,
    cast(in_qty as decimal(18, 4)) as in_qty,
    cast(out_qty as decimal(18, 4)) as out_qty,
    cast(closing_qty as decimal(18, 4)) as closing_qty,
    cast(in_qty - out_qty as decimal(18, 4)) as net_move_qty,
    {{ of_company("HC") }},
    'hc_u8' as source_system,
    'stock_move' as source_stream,
    product_key || ' ' || warehouse_key || ' ' || balance_date as source_record
from dense
