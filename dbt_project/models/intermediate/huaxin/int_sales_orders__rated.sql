-- Sales orders in shared codes, with the exchange rate of their day. The sales system keeps only its own
-- numbers for warehouse and company; seeds/standards/source_codes.csv says what they stand for.
with

    orders as (select * from {{ ref("stg_hx_sales__sales_orders") }}),
    customers as (select * from {{ ref("stg_hx_sales__customers") }}),
    currencies as (select * from {{ ref("stg_hx_sales__currencies") }}),
    source_codes as (select * from {{ ref("source_codes") }} where source_system = 'hx_sales'),
    statuses as (select * from {{ ref("document_statuses") }} where document_type = 'sales_order'),
    rates as (select * from {{ ref("int_exchange_rates") }}),

    named as (

        select
            orders.*,
            customers.customer_code,
            currencies.currency_code,
            coalesce(statuses.status_code, 'unmatched') as order_status_code,
            warehouses.standard_code as warehouse_code,
            companies.standard_code as company_code
        from orders
        left join customers on orders.customer_id = customers.customer_id
        left join currencies on orders.currency_id = currencies.currency_id
        left join statuses on orders.source_status = statuses.source_status
        left join
            source_codes as warehouses
            on warehouses.entity = 'warehouse'
            and orders.source_warehouse = warehouses.source_code
        left join
            source_codes as companies
            on companies.entity = 'company'
            and orders.source_company = companies.source_code

    )

select
    named.order_id,
    named.order_no,
    named.order_status_code,
    named.customer_code,
    named.company_code,
    named.source_warehouse,
    named.warehouse_code,
    named.invoice_method,
    named.customer_reference,
    named.source_document,
    named.order_date,
    named.currency_code,
    {{ rate_of("rates", "named.currency_code") }} as rate
from named
asof left join rates on named.currency_code = rates.currency_code and named.order_date >= rates.rate_date
