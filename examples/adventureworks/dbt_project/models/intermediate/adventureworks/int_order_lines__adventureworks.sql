-- Order lines of the web shop and of resellers. The warehouse names the currency a customer paid in, but
-- every
-- amount is in US dollars: a product costs the same number in all of them.
with

    internet_sales as (select * from {{ ref("stg_aw_sales_dw__internet_sales") }}),
    reseller_sales as (select * from {{ ref("stg_aw_sales_dw__reseller_sales") }}),
    customers as ({{ known_to("aw_sales_dw", "customer") }}),
    products as ({{ known_to("aw_sales_dw", "product") }}),
    rates as (select * from {{ ref("int_exchange_rates__adventureworks") }}),

    lines as (

        select 'internet_sales' as source_stream, *
        from internet_sales
        union all
        select 'reseller_sales', *
        from reseller_sales

    ),

    named as (

        select
            lines.*,
            lines.order_no || '|' || lines.line_no as line_id,
            'USD' as currency_code,
            coalesce(customers.customer_key, 'unmatched') as customer_key,
            coalesce(products.product_key, 'unmatched') as product_key
        from lines
        left join customers on lines.source_customer = customers.known_as
        left join products on lines.source_product = products.known_as

    )

select
    named.*,
    {{ key(["'sales_order_line'", "'aw_sales_dw'", "named.line_id"]) }} as sales_order_line_key,
    cast(named.order_amount_net_txn / named.order_qty as decimal(18, 4)) as unit_price_txn,
    order_rates.cny_per_unit,
    ship_rates.cny_per_unit as cny_per_unit_shipped
from named
asof left join
    rates as order_rates
    on named.currency_code = order_rates.currency_code
    and named.order_date >= order_rates.rate_date
asof left join
    rates as ship_rates
    on named.currency_code = ship_rates.currency_code
    and named.ship_date >= ship_rates.rate_date
