-- Stock at the end of every day from the first done move on, for every product and warehouse that ever saw
-- one. Two routes on purpose, so that opening + in - out = closing can be tested: in and out are
-- the moves that cross the warehouse's boundary, converted to the base unit here; opening and closing are
-- the running sum over every storage place, inner moves included, in the base quantity the stock system
-- states itself.
with

    stock_moves as (select * from {{ ref("int_stock_moves__conformed") }} where is_done),
    products as ({{ known_to("hx_stock", "product") }}),
    counted as (select * from {{ ref("int_products__conformed") }}),
    counted_to as (select * from {{ ref("int_stock__last_day") }}),
    warehouses as (select * from {{ ref("dim_warehouse") }} where coalesce(company_code, 'HX') = 'HX'),

    legs as (

        select
            product_code,
            to_warehouse_code as warehouse_code,
            move_date,
            stated_qty_base as stated_qty,
            case when from_warehouse_code <> to_warehouse_code then move_qty_base else 0 end as in_qty,
            0 as out_qty
        from stock_moves
        where to_warehouse_code <> 'not_applicable'
        union all
        select
            product_code,
            from_warehouse_code,
            move_date,
            - stated_qty_base,
            0,
            case when from_warehouse_code <> to_warehouse_code then move_qty_base else 0 end
        from stock_moves
        where from_warehouse_code <> 'not_applicable'

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

    places as (select distinct product_code, warehouse_code from legs),

    daily as (

        select
            product_code,
            warehouse_code,
            move_date,
            sum(stated_qty) as stated_net_qty,
            sum(in_qty) as in_qty,
            sum(out_qty) as out_qty
        from legs
        group by product_code, warehouse_code, move_date

    ),

    dense as (

        select
            places.product_code,
            places.warehouse_code,
            days.balance_date,
            coalesce(daily.in_qty, 0) as in_qty,
            coalesce(daily.out_qty, 0) as out_qty,
            sum(coalesce(daily.stated_net_qty, 0)) over (
                partition by places.product_code, places.warehouse_code order by days.balance_date
            ) as closing_qty
        from places
        cross join days
        left join
            daily
            on places.product_code = daily.product_code
            and places.warehouse_code = daily.warehouse_code
            and days.balance_date = daily.move_date

    ),

    opened as (

        select
            *,
            coalesce(
                lag(closing_qty) over (partition by product_code, warehouse_code order by balance_date), 0
            ) as opening_qty
        from dense

    )

select
    {{ key(["'stock_balance'", "opened.product_code", "opened.warehouse_code", "opened.balance_date"]) }}
    as stock_balance_key,
    coalesce(products.product_key, 'unmatched') as product_key,
    coalesce(warehouses.warehouse_key, 'unmatched') as warehouse_key,
    opened.balance_date,
    coalesce(counted.base_uom_code, 'unmatched') as base_uom_code,
    cast(opened.opening_qty as decimal(18, 4)) as opening_qty,
    cast(opened.in_qty as decimal(18, 4)) as in_qty,
    cast(opened.out_qty as decimal(18, 4)) as out_qty,
    cast(opened.closing_qty as decimal(18, 4)) as closing_qty,
    cast(opened.in_qty - opened.out_qty as decimal(18, 4)) as net_move_qty,
    {{ of_company("HX") }},
    'hx_stock' as source_system,
    'stock_move' as source_stream,
    opened.product_code || ' ' || opened.warehouse_code || ' ' || opened.balance_date as source_record
from opened
left join products on opened.product_code = products.known_as
left join counted on opened.product_code = counted.product_code
left join warehouses on opened.warehouse_code = warehouses.warehouse_code
