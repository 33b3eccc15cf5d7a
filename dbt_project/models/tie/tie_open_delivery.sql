-- Goods that left, came back or arrived and that no invoice names yet, at the price of their order. Invoicing
-- takes some days, so the youngest of them are simply open; an old one was forgotten, and stays a break.
with

    delivery_lines as (select * from {{ ref("fct_delivery_line") }} where company_code = 'HC' and is_shipped),
    receipt_lines as (
        select * from {{ ref("fct_goods_receipt_line") }} where company_code = 'HC' and is_received
    ),
    order_lines as (select * from {{ ref("fct_sales_order_line") }} where company_code = 'HC'),
    sales_invoice_lines as (
        select * from {{ ref("fct_sales_invoice_line") }} where company_code = 'HC' and is_posted
    ),
    supplier_invoice_lines as (
        select * from {{ ref("fct_supplier_invoice_line") }} where company_code = 'HC' and is_posted
    ),

    -- the last day anything happened: today is later wherever a copy of old data is looked at
    last_day as (
        select max(move_date) as day from {{ ref("fct_stock_move") }} where company_code = 'HC' and is_done
    ),

    -- a credit note names the delivery it corrects, and no return: the two meet at the line of the order
    returned as (

        select sales_order_line_key, sum(- invoice_amount_net_cny) as credited_amount_cny
        from sales_invoice_lines
        where invoice_qty < 0
        group by sales_order_line_key

    ),

    returns as (

        select
            delivery_lines.*,
            -- of several returns of one line the oldest are credited first
            sum(- delivery_lines.shipped_amount_net_cny) over (
                partition by delivery_lines.sales_order_line_key
                order by delivery_lines.ship_date, delivery_lines.delivery_line_key
            ) as returned_so_far
        from delivery_lines
        where delivery_kind = 'return'

    ),

    open_lines as (

        select
            'sales' as flow,
            shipment_no,
            cast(null as text) as order_no,
            customer_key as party_key,
            product_key,
            is_intercompany,
            ship_date as delivery_date,
            ship_qty_base as quantity,
            shipped_amount_net_cny as amount_cny,
            company_code,
            source_system,
            source_stream,
            source_record
        from delivery_lines
        where
            delivery_kind = 'delivery'
            and shipment_no not in (
                select shipment_no from sales_invoice_lines where shipment_no is not null and invoice_qty > 0
            )
        union all by name
        select
            'return' as flow,
            returns.shipment_no,
            order_lines.order_no,
            coalesce(order_lines.customer_key, returns.customer_key) as party_key,
            returns.product_key,
            returns.is_intercompany,
            returns.ship_date as delivery_date,
            returns.ship_qty_base as quantity,
            returns.shipped_amount_net_cny as amount_cny,
            returns.company_code,
            returns.source_system,
            returns.source_stream,
            returns.source_record
        from returns
        left join order_lines on returns.sales_order_line_key = order_lines.sales_order_line_key
        left join returned on returns.sales_order_line_key = returned.sales_order_line_key
        where returns.returned_so_far > coalesce(returned.credited_amount_cny, 0)
        union all by name
        select
            'purchase' as flow,
            shipment_no,
            supplier_key as party_key,
            product_key,
            false as is_intercompany,
            receipt_date as delivery_date,
            receipt_qty_base as quantity,
            received_amount_net_cny as amount_cny,
            company_code,
            source_system,
            source_stream,
            source_record
        from receipt_lines
        where shipment_no not in (select receipt_no from supplier_invoice_lines where receipt_no is not null)

    )

select
    open_lines.*,
    date_diff('day', open_lines.delivery_date, last_day.day) <= case
        when open_lines.flow = 'purchase'
        then {{ var("supplier_invoice_after_days") }}
        else {{ var("sales_invoice_after_days") }}
    end as is_recent
from open_lines
cross join last_day
