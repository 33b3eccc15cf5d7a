-- The last day on which the business itself did something, by its own documents (never by the ledger or by
-- the clock of a program). One row.
with

    sales_orders as (select * from {{ ref("stg_hx_sales__sales_orders") }}),
    purchase_orders as (select * from {{ ref("stg_hx_purchasing__purchase_orders") }}),
    stock_moves as (select * from {{ ref("stg_hx_stock__stock_moves") }}),
    productions as (select * from {{ ref("stg_hx_stock__productions") }}),
    invoices as (select * from {{ ref("stg_hx_finance__invoices") }}),
    timesheet_lines as (select * from {{ ref("stg_hx_people__timesheet_lines") }}),

    document_dates as (

        select order_date as document_date
        from sales_orders
        union all
        select order_date
        from purchase_orders
        union all
        select move_date
        from stock_moves
        union all
        select effective_date
        from productions
        union all
        select invoice_date
        from invoices
        union all
        select work_date
        from timesheet_lines

    )

select max(document_date) as last_operational_date
from document_dates
