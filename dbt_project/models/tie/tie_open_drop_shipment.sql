-- Goods the parent sent for the subsidiary that the subsidiary has not invoiced to its customer yet: of an
-- order's product the youngest deliveries, as far as the invoices do not reach.
with

    delivery_lines as (select * from {{ ref("fct_delivery_line") }} where company_code = 'HC' and is_shipped),
    order_lines as (
        select *
        from {{ ref("fct_sales_order_line") }}
        where company_code = 'HC' and is_intercompany and source_document is not null
    ),
    invoice_lines as (
        select * from {{ ref("fct_sales_invoice_line") }} where company_code = 'HCE' and is_posted
    ),
    last_day as (
        select max(move_date) as day from {{ ref("fct_stock_move") }} where company_code = 'HC' and is_done
    ),

    invoiced as (

        select source_document as subsidiary_order_no, product_key, sum(invoice_qty) as invoiced_qty
        from invoice_lines
        group by source_document, product_key

    ),

    sent as (

        select
            delivery_lines.*,
            order_lines.source_document as subsidiary_order_no,
            sum(delivery_lines.ship_qty_base) over (
                partition by order_lines.source_document, delivery_lines.product_key
                order by delivery_lines.ship_date, delivery_lines.delivery_line_key
            ) as sent_so_far
        from delivery_lines
        inner join order_lines on delivery_lines.sales_order_line_key = order_lines.sales_order_line_key

    )

select
    sent.subsidiary_order_no,
    sent.product_key,
    sent.ship_date,
    cast(
        least(sent.ship_qty_base, sent.sent_so_far - coalesce(invoiced.invoiced_qty, 0)) as decimal(18, 4)
    ) as quantity,
    date_diff('day', sent.ship_date, last_day.day) <= {{ var("sales_invoice_after_days") }} as is_recent,
    sent.company_code,
    sent.source_system,
    sent.source_stream,
    sent.source_record
from sent
cross join last_day
left join
    invoiced
    on sent.subsidiary_order_no = invoiced.subsidiary_order_no
    and sent.product_key = invoiced.product_key
where sent.sent_so_far > coalesce(invoiced.invoiced_qty, 0)
