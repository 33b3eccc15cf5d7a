-- Stock stays as it was taken over until somebody moves it: the whole group is counted to the same day.
with

    stock_moves as (select * from {{ ref("int_stock_moves__adventureworks") }}),
    last_day as (select * from {{ ref("int_operations__last_day") }}),

    days as (

        select
            cast(
                unnest(
                    generate_series(
                        min(move_date),
                        greatest(max(move_date), any_value(last_day.last_operational_date)),
                        interval 1 day
                    )
                ) as date
            ) as balance_date
        from stock_moves
        cross join last_day

    )

select
    {{ key(["'stock_balance'", "'aw_oltp'", "stock_moves.source_record", "days.balance_date"]) }}
    as stock_balance_key,
    stock_moves.product_key,
    stock_moves.to_warehouse_key as warehouse_key,
    days.balance_date,
    stock_moves.base_uom_code,
    cast(
        case
            when days.balance_date > stock_moves.move_date then stock_moves.move_qty_base else 0
        end as decimal(18, 4)
    ) as opening_qty,
    cast(
        case
            when days.balance_date = stock_moves.move_date then stock_moves.move_qty_base else 0
        end as decimal(18, 4)
    ) as in_qty,
    cast(0 as decimal(18, 4)) as out_qty,
    stock_moves.move_qty_base as closing_qty,
    cast(
        case
            when days.balance_date = stock_moves.move_date then stock_moves.move_qty_base else 0
        end as decimal(18, 4)
    ) as net_move_qty,
    {{ of_company("AW") }},
    'aw_oltp' as source_system,
    'product_inventory' as source_stream,
    stock_moves.source_record || ' ' || days.balance_date as source_record
from stock_moves
cross join days
