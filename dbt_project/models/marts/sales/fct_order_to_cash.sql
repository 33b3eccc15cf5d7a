-- Where every booked sales order line stands: ordered → shipped → invoiced → paid, with what is open at each
-- step. Money is paid on invoices, not on lines: a line counts as paid by the share of its invoices that is
-- settled. Quantities are in the product's base unit, amounts without tax but what is paid.
with

    order_lines as (select * from {{ ref("fct_sales_order_line") }} where is_booked),
    invoice_lines as (select * from {{ ref("fct_sales_invoice_line") }} where is_posted),
    payments as (select * from {{ ref("fct_payment") }} where payment_kind = 'customer_receipt'),

    received as (

        select company_code, invoice_id, sum(bank_amount_txn) as received_amount_txn
        from payments
        where invoice_id is not null
        group by company_code, invoice_id

    ),

    settled as (

        select
            invoice_lines.*,
            least(
                coalesce(received.received_amount_txn, 0) / nullif(
                    sum(invoice_lines.invoice_amount_gross_txn) over (
                        partition by invoice_lines.company_code, invoice_lines.invoice_id
                    ),
                    0
                ),
                1
            ) as paid_share
        from invoice_lines
        left join
            received
            on invoice_lines.company_code = received.company_code
            and invoice_lines.invoice_id = received.invoice_id

    ),

    invoiced as (

        select
            sales_order_line_key,
            sum(invoice_qty) as invoiced_qty,
            sum(invoice_amount_net_txn) as invoiced_amount_net_txn,
            sum(invoice_amount_gross_txn) as invoiced_amount_gross_txn,
            cast(
                sum(round(invoice_amount_gross_txn * paid_share, 2)) as decimal(18, 2)
            ) as received_amount_txn,
            max(invoice_date) as last_invoice_date
        from settled
        group by sales_order_line_key

    )

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
    -- an invoice counts in the unit of its order
    cast(
        coalesce(
            round(invoiced.invoiced_qty * order_lines.order_qty_base / nullif(order_lines.order_qty, 0), 4), 0
        ) as decimal(18, 4)
    ) as invoiced_qty_base,
    cast(
        order_lines.shipped_qty_base - coalesce(
            round(invoiced.invoiced_qty * order_lines.order_qty_base / nullif(order_lines.order_qty, 0), 4), 0
        ) as decimal(18, 4)
    ) as shipped_not_invoiced_qty_base,
    order_lines.currency_code,
    order_lines.order_amount_net_txn,
    cast(coalesce(invoiced.invoiced_amount_net_txn, 0) as decimal(18, 2)) as invoiced_amount_net_txn,
    cast(coalesce(invoiced.invoiced_amount_gross_txn, 0) as decimal(18, 2)) as invoiced_amount_gross_txn,
    -- SAP does not say which receipt pays which invoice
    case
        when order_lines.source_system <> 'hc_sap' then coalesce(invoiced.received_amount_txn, 0)
    end as received_amount_txn,
    case
        when order_lines.source_system <> 'hc_sap'
        then
            cast(
                coalesce(invoiced.invoiced_amount_gross_txn, 0)
                - coalesce(invoiced.received_amount_txn, 0) as decimal(18, 2)
            )
    end as invoiced_not_received_amount_txn,
    invoiced.last_invoice_date,
    order_lines.company_code,
    order_lines.company_key,
    order_lines.source_system,
    order_lines.source_stream,
    order_lines.source_record
from order_lines
left join invoiced on order_lines.sales_order_line_key = invoiced.sales_order_line_key
