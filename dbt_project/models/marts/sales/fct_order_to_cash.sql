-- Where every booked sales order line stands: ordered → shipped → invoiced → paid, with what is open at each
-- step. Money is paid on invoices, not on lines: a line counts as paid by the share of its invoices that is
-- settled. Quantities are in the product's base unit, amounts without tax but what is paid.
with

    order_lines as (select * from {{ ref("fct_sales_order_line") }} where is_booked),
    invoiced as ({{ settled_by_line("fct_sales_invoice_line", "sales_order_line_key", "customer_receipt") }})

select
    order_lines.sales_order_line_key,
    order_lines.order_no,
    order_lines.line_id,
    order_lines.customer_key,
    order_lines.product_key,
    order_lines.is_intercompany,
    order_lines.order_date,
    order_lines.order_status_code,
    order_lines.base_uom_code,
    order_lines.order_qty_base,
    order_lines.shipped_qty_base,
    order_lines.open_qty_base as open_to_ship_qty_base,
    {{ in_unit_of_order("invoiced.invoiced_qty", "order_lines") }} as invoiced_qty_base,
    order_lines.shipped_qty_base
    - {{ in_unit_of_order("invoiced.invoiced_qty", "order_lines") }} as shipped_not_invoiced_qty_base,
    order_lines.currency_code,
    order_lines.order_amount_net_txn,
    cast(coalesce(invoiced.invoiced_amount_net_txn, 0) as decimal(18, 2)) as invoiced_amount_net_txn,
    cast(coalesce(invoiced.invoiced_amount_gross_txn, 0) as decimal(18, 2)) as invoiced_amount_gross_txn,
    case when invoiced.is_invoiced then invoiced.settled_amount_txn else 0 end as received_amount_txn,
    case
        when invoiced.is_invoiced
        then cast(invoiced.invoiced_amount_gross_txn - invoiced.settled_amount_txn as decimal(18, 2))
        else 0
    end as invoiced_not_received_amount_txn,
    invoiced.last_invoice_date,
    order_lines.company_code,
    order_lines.company_key,
    order_lines.source_system,
    order_lines.source_stream,
    order_lines.source_record
from order_lines
left join invoiced on order_lines.sales_order_line_key = invoiced.sales_order_line_key
