-- What was shipped comes from the parent's deliveries; the subsidiary says of an item only that all of it has
-- left. No system plans moves: what is open is what an order that is neither closed nor in work still lacks.
with

    order_lines as (select * from {{ ref("int_order_lines__huachen") }}),
    deliveries as (select * from {{ ref("stg_hc_u8__deliveries") }} where is_approved),
    delivery_lines as (select * from {{ ref("stg_hc_u8__delivery_lines") }}),
    statuses as (select * from {{ ref("source_statuses") }} where document_type = 'sales_order'),
    customers as ({{ known_to_all("customer") }}),
    employees as ({{ known_to_all("employee") }}),
    known_products as ({{ known_to_all("product") }}),
    products as (select * from {{ ref("dim_product") }}),
    uoms as (select * from {{ ref("uoms") }}),
    units as ({{ units() }}),
    organisations as (select * from {{ ref("dim_organisation") }} where organisation_kind = 'company'),

    shipments as (

        select
            deliveries.order_no,
            delivery_lines.order_line_no as line_no,
            sum(delivery_lines.ship_qty) as shipped_qty,
            -- what comes back is not to be delivered again
            sum(greatest(delivery_lines.ship_qty, 0)) as delivered_qty
        from delivery_lines
        inner join deliveries on delivery_lines.document_id = deliveries.document_id
        group by deliveries.order_no, delivery_lines.order_line_no

    ),

    named as (

        select
            order_lines.*,
            coalesce(customers.customer_key, 'unmatched') as customer_key,
            coalesce(known_products.product_key, 'unmatched') as product_key,
            coalesce(products.product_kind in ('goods', 'assets', 'finished', 'material'), false) as is_goods,
            coalesce(products.base_uom_code, 'unmatched') as base_uom_code,
            coalesce(uoms.uom_code, 'unmatched') as uom_code,
            {{ converted("order_lines.order_qty", "uoms", "units") }} as order_qty_base,
            case
                when order_lines.is_closed then 'done' else coalesce(statuses.status_code, 'unmatched')
            end as order_status_code,
            case
                when order_lines.company_code = 'HC'
                then coalesce(shipments.shipped_qty, 0)
                when order_lines.is_closed
                then order_lines.order_qty
                else 0
            end as shipped_qty,
            coalesce(shipments.delivered_qty, 0) as delivered_qty
        from order_lines
        left join
            shipments
            on order_lines.company_code = 'HC'
            and order_lines.order_no = shipments.order_no
            and order_lines.line_no = shipments.line_no
        left join
            customers
            on order_lines.source_system = customers.source_system
            and order_lines.source_customer = customers.known_as
        left join
            known_products
            on order_lines.source_system = known_products.source_system
            and order_lines.source_product = known_products.known_as
        left join products on known_products.product_key = products.product_key
        left join uoms on order_lines.source_uom = uoms.uom_text
        left join units on products.base_uom_code = units.uom_code
        left join
            statuses
            on order_lines.source_system = statuses.source_system
            and order_lines.source_status = statuses.source_status

    )

select
    named.sales_order_line_key,
    named.order_no,
    named.order_id,
    named.line_id,
    named.customer_key,
    named.product_key,
    'not_applicable' as warehouse_key,
    case
        when named.source_salesperson is null
        then 'not_applicable'
        else coalesce(employees.employee_key, 'unmatched')
    end as employee_key,
    named.company_code,
    coalesce(organisations.organisation_key, 'unmatched') as company_key,
    named.is_intercompany,
    named.order_date,
    named.order_status_code,
    named.order_status_code in ('confirmed', 'processing', 'done') as is_booked,
    named.order_status_code = 'cancelled' as is_cancelled,
    named.customer_reference,
    named.source_document,
    named.is_goods,
    named.order_qty < 0 as is_return,
    named.order_qty,
    named.uom_code,
    named.order_qty_base,
    named.base_uom_code,
    named.currency_code,
    named.unit_price_txn,
    named.tax_rate,
    cast(named.order_amount_net_txn as decimal(18, 2)) as order_amount_net_txn,
    cast(named.order_amount_tax_txn as decimal(18, 2)) as order_amount_tax_txn,
    cast(named.order_amount_net_txn + named.order_amount_tax_txn as decimal(18, 2)) as order_amount_gross_txn,
    {{ at_price("named.order_amount_net_txn", "named.cny_per_unit") }} as order_amount_net_cny,
    cast(named.shipped_qty as decimal(18, 4)) as shipped_qty_base,
    cast(
        case
            when named.order_status_code in ('confirmed', 'processing')
            then greatest(named.order_qty - named.delivered_qty, 0)
            else 0
        end as decimal(18, 4)
    ) as open_qty_base,
    named.source_system,
    named.source_stream,
    named.source_record
from named
left join
    employees
    on named.source_system = employees.source_system
    and named.source_salesperson = employees.known_as
left join organisations on named.company_code = organisations.organisation_code
