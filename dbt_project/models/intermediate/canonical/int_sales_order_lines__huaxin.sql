with

    order_lines as (select * from {{ ref("int_sales_order_lines__priced") }}),
    stock_moves as (
        select * from {{ ref("int_stock_moves__conformed") }} where move_kind in ('delivery', 'return')
    ),
    customers as ({{ known_to("hx_sales", "customer") }}),
    products as ({{ known_to("hx_stock", "product") }}),
    warehouses as (select * from {{ ref("dim_warehouse") }} where coalesce(company_code, 'HX') = 'HX'),
    organisations as (select * from {{ ref("dim_organisation") }}),

    -- moves name the order line they serve; a return takes back what was delivered
    signed_moves as (

        select
            *, case when move_kind = 'return' then - move_qty_base else move_qty_base end as signed_qty_base
        from stock_moves

    ),

    fulfilments as (

        select
            sales_line_id,
            sum(case when is_done then signed_qty_base else 0 end) as shipped_qty_base,
            sum(case when is_open then signed_qty_base else 0 end) as open_qty_base
        from signed_moves
        where sales_line_id is not null
        group by sales_line_id

    )

select
    {{ key(["'sales_order_line'", "order_lines.line_id"]) }} as sales_order_line_key,
    order_lines.order_no,
    cast(order_lines.order_id as text) as order_id,
    cast(order_lines.line_id as text) as line_id,
    coalesce(customers.customer_key, 'unmatched') as customer_key,
    coalesce(products.product_key, 'unmatched') as product_key,
    -- an order nobody has completed may not say yet where it ships from
    case
        when order_lines.warehouse_code is null and order_lines.source_warehouse is null
        then 'not_applicable'
        else coalesce(warehouses.warehouse_key, 'unmatched')
    end as warehouse_key,
    'not_applicable' as employee_key,
    coalesce(order_lines.company_code, 'unmatched') as company_code,
    coalesce(organisations.organisation_key, 'unmatched') as company_key,
    order_lines.order_date,
    order_lines.order_status_code,
    order_lines.order_status_code in ('confirmed', 'processing', 'done') as is_booked,
    order_lines.order_status_code = 'cancelled' as is_cancelled,
    order_lines.invoice_method,
    order_lines.customer_reference,
    order_lines.source_document,
    coalesce(order_lines.product_kind in ('goods', 'assets'), false) as is_goods,
    order_lines.order_qty < 0 as is_return,
    order_lines.order_qty,
    order_lines.uom_code,
    order_lines.order_qty_base,
    order_lines.base_uom_code,
    order_lines.currency_code,
    order_lines.unit_price_txn,
    cast(order_lines.tax_rate as decimal(9, 4)) as tax_rate,
    order_lines.order_amount_net_txn,
    order_lines.order_amount_tax_txn,
    cast(
        order_lines.order_amount_net_txn + order_lines.order_amount_tax_txn as decimal(18, 2)
    ) as order_amount_gross_txn,
    order_lines.order_amount_net_cny,
    cast(coalesce(fulfilments.shipped_qty_base, 0) as decimal(18, 4)) as shipped_qty_base,
    cast(coalesce(fulfilments.open_qty_base, 0) as decimal(18, 4)) as open_qty_base,
    -- it buys and sells with no other company of the group
    false as is_intercompany,
    {{ provenance("hx_sales", "sale_line", "order_lines.line_id") }}
from order_lines
left join fulfilments on order_lines.line_id = fulfilments.sales_line_id
left join customers on order_lines.customer_code = customers.known_as
left join products on order_lines.product_code = products.known_as
left join warehouses on order_lines.warehouse_code = warehouses.warehouse_code
left join
    organisations
    on order_lines.company_code = organisations.organisation_code
    and organisations.organisation_kind = 'company'
