-- Purchase order lines with their order. The system says what was received and what was refused, but not
-- when:
-- goods count as received on the day the order was to be shipped, which is the nearest day it knows (due
-- dates
-- of seven lines lie before their orders).
with

    orders as (select * from {{ ref("stg_aw_oltp__purchase_orders") }}),
    lines as (select * from {{ ref("stg_aw_oltp__purchase_order_lines") }}),
    statuses as (
        select *
        from {{ ref("source_statuses") }}
        where source_system = 'aw_oltp' and document_type = 'purchase_order'
    ),
    suppliers as ({{ known_to("aw_oltp", "supplier") }}),
    products as ({{ known_to("aw_oltp", "product") }}),
    employees as ({{ known_to("aw_oltp", "employee") }}),
    departments as (select * from {{ ref("stg_aw_oltp__employee_departments") }} where valid_to is null),
    rates as (select * from {{ ref("int_exchange_rates__adventureworks") }}),

    named as (

        select
            lines.*,
            orders.order_no,
            orders.order_date,
            orders.ship_date as receipt_date,
            'USD' as currency_code,
            coalesce(statuses.status_code, 'unmatched') as order_status_code,
            coalesce(suppliers.supplier_key, 'unmatched') as supplier_key,
            coalesce(products.product_key, 'unmatched') as product_key,
            coalesce(employees.employee_key, 'unmatched') as employee_key,
            coalesce(
                {{ key(["'organisation'", "'AW-' || departments.source_department"]) }}, 'unmatched'
            ) as organisation_key
        from lines
        left join orders on lines.order_id = orders.order_id
        left join statuses on orders.source_status = statuses.source_status
        left join suppliers on orders.source_supplier = suppliers.known_as
        left join products on lines.source_product = products.known_as
        left join employees on orders.source_buyer = employees.known_as
        left join departments on orders.source_buyer = departments.source_employee

    )

select
    named.*,
    {{ key(["'purchase_order_line'", "'aw_oltp'", "named.line_id"]) }} as purchase_order_line_key,
    order_rates.cny_per_unit,
    receipt_rates.cny_per_unit as cny_per_unit_received
from named
asof left join
    rates as order_rates
    on named.currency_code = order_rates.currency_code
    and named.order_date >= order_rates.rate_date
asof left join
    rates as receipt_rates
    on named.currency_code = receipt_rates.currency_code
    and named.receipt_date >= receipt_rates.rate_date
