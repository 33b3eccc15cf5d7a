-- Where every purchase order line stands: ordered → received → invoiced → paid, with what is open at each
-- step.
-- A line counts as paid by the share of its invoices that is settled.
with

    order_lines as (select * from {{ ref("fct_purchase_order_line") }} where is_ordered),
    invoiced as (
        {{ settled_by_line("fct_supplier_invoice_line", "purchase_order_line_key", "supplier_payment", "-") }}
    )

select
    order_lines.purchase_order_line_key,
    order_lines.order_no,
    order_lines.line_id,
    order_lines.request_no,
    order_lines.supplier_key,
    order_lines.product_key,
    order_lines.order_date,
    order_lines.order_status_code,
    order_lines.is_goods,
    order_lines.base_uom_code,
    order_lines.order_qty_base,
    order_lines.received_qty_base,
    order_lines.open_qty_base as open_to_receive_qty_base,
    {{ in_unit_of_order("invoiced.invoiced_qty", "order_lines") }} as invoiced_qty_base,
    order_lines.received_qty_base
    - {{ in_unit_of_order("invoiced.invoiced_qty", "order_lines") }} as received_not_invoiced_qty_base,
    order_lines.currency_code,
    order_lines.order_amount_net_txn,
    cast(coalesce(invoiced.invoiced_amount_net_txn, 0) as decimal(18, 2)) as invoiced_amount_net_txn,
    cast(coalesce(invoiced.invoiced_amount_gross_txn, 0) as decimal(18, 2)) as invoiced_amount_gross_txn,
    case when invoiced.is_invoiced then invoiced.settled_amount_txn else 0 end as paid_amount_txn,
    case
        when invoiced.is_invoiced
        then cast(invoiced.invoiced_amount_gross_txn - invoiced.settled_amount_txn as decimal(18, 2))
        else 0
    end as invoiced_not_paid_amount_txn,
    order_lines.company_code,
    order_lines.company_key,
    order_lines.source_system,
    order_lines.source_stream,
    order_lines.source_record
from order_lines
left join invoiced on order_lines.purchase_order_line_key = invoiced.purchase_order_line_key
