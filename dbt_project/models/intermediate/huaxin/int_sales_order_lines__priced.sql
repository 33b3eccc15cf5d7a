-- Sales order lines with their order and amounts. Tax is rounded once per order and tax rate, and the
-- order is converted once: the last line takes the rounding cents.
with

    -- titles, comments and subtotals are lines on paper only
    order_lines as (select * from {{ ref("stg_hx_sales__sales_order_lines") }} where line_type = 'line'),
    orders as (select * from {{ ref("int_sales_orders__rated") }}),
    line_taxes as (select * from {{ ref("stg_hx_sales__sales_order_line_taxes") }}),
    taxes as (select * from {{ ref("stg_hx_sales__taxes") }}),
    source_products as (select * from {{ ref("stg_hx_sales__products") }}),
    source_uoms as (select * from {{ ref("stg_hx_sales__uoms") }}),
    products as (select * from {{ ref("int_products__conformed") }}),
    uoms as (select * from {{ ref("uoms") }}),

    tax_rates as (

        select line_taxes.line_id, sum(taxes.tax_rate) as tax_rate
        from line_taxes
        left join taxes on line_taxes.tax_id = taxes.tax_id
        group by line_taxes.line_id

    ),

    priced as (

        select
            order_lines.line_id,
            order_lines.order_id,
            orders.* exclude (order_id, order_status_code),
            -- a line whose order is gone stays, with nothing known about it
            coalesce(orders.order_status_code, 'unmatched') as order_status_code,
            source_products.product_code,
            products.product_kind,
            coalesce(products.base_uom_code, 'unmatched') as base_uom_code,
            coalesce(uoms.uom_code, 'unmatched') as uom_code,
            order_lines.order_qty,
            {{ in_base_unit("order_lines.order_qty") }} as order_qty_base,
            order_lines.unit_price_txn,
            coalesce(tax_rates.tax_rate, 0) as tax_rate,
            cast(
                round(order_lines.order_qty * order_lines.unit_price_txn, 2) as decimal(18, 2)
            ) as order_amount_net_txn
        from order_lines
        left join orders on order_lines.order_id = orders.order_id
        left join tax_rates on order_lines.line_id = tax_rates.line_id
        left join source_products on order_lines.product_id = source_products.product_id
        left join products on source_products.product_code = products.product_code
        left join source_uoms on order_lines.uom_id = source_uoms.uom_id
        left join uoms on source_uoms.uom_text = uoms.uom_text

    ),

    with_documents as (

        select
            *,
            {{ in_reporting_currency("order_amount_net_txn", "rate") }} as line_net_cny,
            {{ in_reporting_currency("sum(order_amount_net_txn) over (partition by order_id)", "rate") }}
            as document_net_cny,
            round(order_amount_net_txn * tax_rate, 2) as line_tax_txn,
            sum(order_amount_net_txn) over (partition by order_id, tax_rate) * tax_rate as unrounded_tax_txn
        from priced

    )

select
    * exclude (line_net_cny, document_net_cny, line_tax_txn, unrounded_tax_txn),
    {{ share_of_document("line_net_cny", "document_net_cny", "order_id", "line_id") }}
    as order_amount_net_cny,
    {{
        share_of_document(
            "line_tax_txn", round_half_even("unrounded_tax_txn"), "order_id, tax_rate", "line_id"
        )
    }} as order_amount_tax_txn
from with_documents
