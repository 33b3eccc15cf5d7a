-- Shop orders as people count them. The lines of an order share everything that is here; the first line
-- stands
-- for the order where its row in the source is asked for.
with order_lines as (select * from {{ ref("fct_platform_order_line") }})

select
    {{ key(["'platform_order'", "order_lines.source_system", "order_lines.order_id"]) }}
    as platform_order_key,
    order_lines.platform_name,
    order_lines.order_no,
    order_lines.order_id,
    order_lines.warehouse_key,
    order_lines.order_date,
    order_lines.paid_date,
    order_lines.ship_date,
    order_lines.order_status_code,
    order_lines.is_cancelled,
    order_lines.is_paid,
    order_lines.is_shipped,
    -- shops abroad sell net: an average of amounts with tax must not count their orders
    order_lines.order_amount_gross_cny is not null as is_priced_gross,
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
