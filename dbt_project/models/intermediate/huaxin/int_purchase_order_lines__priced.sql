-- Purchase order lines with their order and amounts; an order is converted once, its last line takes the
-- cents.
with

    order_lines as (select * from {{ ref("stg_hx_purchasing__purchase_order_lines") }}),
    orders as (select * from {{ ref("stg_hx_purchasing__purchase_orders") }}),
    products as (select * from {{ ref("int_products__conformed") }}),
    uoms as (select * from {{ ref("uoms") }}),
    statuses as (select * from {{ ref("document_statuses") }} where document_type = 'purchase_order'),
    rates as (select * from {{ ref("int_exchange_rates") }}),

    rated as (

        select
            orders.*,
            {{ rate_of("rates", "orders.currency_code") }} as rate,
            coalesce(statuses.status_code, 'unmatched') as order_status_code
        from orders
        left join statuses on orders.source_status = statuses.source_status
        asof left join
            rates on orders.currency_code = rates.currency_code and orders.order_date >= rates.rate_date

    ),

    priced as (

        select
            order_lines.line_id,
            order_lines.order_no,
            -- a line whose order is gone stays, with nothing known about it
            coalesce(rated.order_status_code, 'unmatched') as order_status_code,
            rated.supplier_code,
            rated.warehouse_code,
            rated.invoice_method,
            rated.order_date,
            rated.currency_code,
            rated.rate,
            order_lines.product_code,
            products.product_kind,
            coalesce(products.base_uom_code, 'unmatched') as base_uom_code,
            coalesce(uoms.uom_code, 'unmatched') as uom_code,
            order_lines.order_qty,
            {{ in_base_unit("order_lines.order_qty") }} as order_qty_base,
            order_lines.unit_price_txn,
            coalesce(order_lines.tax_rate, 0) as tax_rate,
            cast(
                round(order_lines.order_qty * order_lines.unit_price_txn, 2) as decimal(18, 2)
            ) as order_amount_net_txn
        from order_lines
        left join rated on order_lines.order_no = rated.order_no
        left join products on order_lines.product_code = products.product_code
        left join uoms on order_lines.uom_text = uoms.uom_text

    ),

    with_documents as (

        select
            *,
            {{ in_reporting_currency("order_amount_net_txn", "rate") }} as line_net_cny,
            {{ in_reporting_currency("sum(order_amount_net_txn) over (partition by order_no)", "rate") }}
            as document_net_cny
        from priced

    )

select
    * exclude (line_net_cny, document_net_cny),
    {{ share_of_document("line_net_cny", "document_net_cny", "order_no", "line_id") }} as order_amount_net_cny
from with_documents
