-- Where every purchase order line stands: ordered → received → invoiced → paid, with what is open at each
-- step.
-- A line counts as paid by the share of its invoices that is settled.
with

    order_lines as (select * from {{ ref("fct_purchase_order_line") }} where is_ordered),
    invoice_lines as (select * from {{ ref("fct_supplier_invoice_line") }} where is_posted),
    payments as (select * from {{ ref("fct_payment") }} where payment_kind = 'supplier_payment'),

    paid as (

        select company_code, invoice_id, - sum(bank_amount_txn) as paid_amount_txn
        from payments
        where invoice_id is not null
        group by company_code, invoice_id

    ),

    settled as (

        select
            invoice_lines.*,
            least(
                coalesce(paid.paid_amount_txn, 0) / nullif(
                    sum(invoice_lines.invoice_amount_gross_txn) over (
                        partition by invoice_lines.company_code, invoice_lines.invoice_id
                    ),
                    0
                ),
                1
            ) as paid_share
        from invoice_lines
        left join
            paid
            on invoice_lines.company_code = paid.company_code
            and invoice_lines.invoice_id = paid.invoice_id

    ),

    invoiced as (

        select
            purchase_order_line_key,
            sum(invoice_qty) as invoiced_qty,
            sum(invoice_amount_net_txn) as invoiced_amount_net_txn,
            sum(invoice_amount_gross_txn) as invoiced_amount_gross_txn,
            cast(sum(round(invoice_amount_gross_txn * paid_share, 2)) as decimal(18, 2)) as paid_amount_txn
        from settled
        group by purchase_order_line_key

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
    cast(
        coalesce(
            round(invoiced.invoiced_qty * order_lines.order_qty_base / nullif(order_lines.order_qty, 0), 4), 0
        ) as decimal(18, 4)
    ) as invoiced_qty_base,
    cast(
        order_lines.received_qty_base - coalesce(
            round(invoiced.invoiced_qty * order_lines.order_qty_base / nullif(order_lines.order_qty, 0), 4), 0
        ) as decimal(18, 4)
    ) as received_not_invoiced_qty_base,
    order_lines.currency_code,
    order_lines.order_amount_net_txn,
    cast(coalesce(invoiced.invoiced_amount_net_txn, 0) as decimal(18, 2)) as invoiced_amount_net_txn,
    cast(coalesce(invoiced.invoiced_amount_gross_txn, 0) as decimal(18, 2)) as invoiced_amount_gross_txn,
    cast(coalesce(invoiced.paid_amount_txn, 0) as decimal(18, 2)) as paid_amount_txn,
    cast(
        coalesce(invoiced.invoiced_amount_gross_txn, 0)
        - coalesce(invoiced.paid_amount_txn, 0) as decimal(18, 2)
    ) as invoiced_not_paid_amount_txn,
    order_lines.company_code,
    order_lines.company_key,
    order_lines.source_system,
    order_lines.source_stream,
    order_lines.source_record
from order_lines
left join invoiced on order_lines.purchase_order_line_key = invoiced.purchase_order_line_key
