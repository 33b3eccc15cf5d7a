-- The operational system says of a sales order why it was made, and on which day; the warehouse says the day
-- too. One day apart would be one day wrong in every month. No order in common would prove nothing.
with

    reasons as (select distinct order_no, reason_date from {{ ref("stg_aw_oltp__sales_order_reasons") }}),
    orders as (select distinct order_no, order_date from {{ ref("stg_aw_sales_dw__internet_sales") }}),

    compared as (

        select reasons.order_no, reasons.reason_date, orders.order_date
        from reasons
        inner join orders on reasons.order_no = orders.order_no

    )

select order_no, reason_date, order_date
from compared
where reason_date <> order_date
union all
select 'no order in common', null, null
where not exists (select * from compared)
