-- Orders as people count them. The lines of an order share everything that is here; amounts and quantities
-- stay
-- on the lines. The first line stands for the order where its row in the source is asked for.
with order_lines as (select * from {{ ref("fct_sales_order_line") }})

select
    {{ key(["'sales_order'", "order_lines.source_system", "order_lines.order_id"]) }} as sales_order_key,
    order_lines.order_no,
    order_lines.order_id,
    order_lines.customer_key,
    order_lines.employee_key,
    order_lines.order_date,
    order_lines.order_status_code,
    order_lines.is_booked,
    order_lines.is_cancelled,
    order_lines.is_return,
    coalesce(order_lines.is_intercompany, false) as is_intercompany,
    order_lines.currency_code,
    order_lines.company_code,
    order_lines.company_key,
    order_lines.source_system,
    order_lines.source_stream,
    order_lines.source_record
from order_lines
qualify
    row_number() over (
        partition by order_lines.source_system, order_lines.order_id
        order by order_lines.line_id, order_lines.source_record
    )
    = 1
