-- The day to which stock is counted, for every company the same: stock stays until somebody moves it, and a
-- company whose last move is older than another's has not lost what it holds. One row.
with

    huaxin as (select * from {{ ref("int_stock_moves__conformed") }} where is_done),
    huachen as (select * from {{ ref("int_stock_moves__huachen") }} where is_done),
    operations as (select * from {{ ref("int_operations__last_day") }}),

    days as (

        select move_date as last_day
        from huaxin
        union all
        select move_date
        from huachen
        union all
        select last_operational_date
        from operations

    )

select max(last_day) as last_day
from days
