-- What happened to each order line, laid out along its quantity: 0 to what was ordered, then the moves
-- and the invoices that serve it, first come first served, each with the stretch it covers. Sales and
-- purchases alike. A return has a negative quantity; it is laid out on a line of its own (`direction`),
-- so it meets returns only.
with

    sales_order_lines as (select * from {{ ref("fct_sales_order_line") }}),
    delivery_lines as (select * from {{ ref("fct_delivery_line") }}),
    sales_invoice_lines as (select * from {{ ref("fct_sales_invoice_line") }}),
    purchase_order_lines as (select * from {{ ref("fct_purchase_order_line") }}),
    goods_receipt_lines as (select * from {{ ref("fct_goods_receipt_line") }}),
    supplier_invoice_lines as (select * from {{ ref("fct_supplier_invoice_line") }}),

    orders as (

        select
            'sales' as flow,
            sales_order_line_key as line_key,
            order_no,
            order_date,
            uom_code,
            order_qty,
            order_qty_base,
            currency_code,
            order_amount_net_txn,
            order_amount_net_cny,
            company_code,
            source_system,
            source_stream,
            source_record
        from sales_order_lines
        where is_booked and is_goods
        union all by name
        select
            'purchase' as flow,
            purchase_order_line_key as line_key,
            order_no,
            order_date,
            uom_code,
            order_qty,
            order_qty_base,
            currency_code,
            order_amount_net_txn,
            order_amount_net_cny,
            company_code,
            source_system,
            source_stream,
            source_record
        from purchase_order_lines
        where is_ordered and is_goods

    ),

    moves as (

        select
            'sales' as flow,
            sales_order_line_key as line_key,
            is_shipped as is_done,
            ship_date as event_date,
            case when is_shipped then ship_qty_base else open_qty_base end as qty,
            currency_code,
            shipped_amount_net_txn as amount_txn,
            shipped_amount_net_cny as amount_cny,
            company_code,
            source_system,
            source_stream,
            source_record
        from delivery_lines
        where is_shipped or is_open
        union all by name
        select
            'purchase' as flow,
            purchase_order_line_key as line_key,
            is_received as is_done,
            receipt_date as event_date,
            case when is_received then receipt_qty_base else open_qty_base end as qty,
            currency_code,
            received_amount_net_txn as amount_txn,
            received_amount_net_cny as amount_cny,
            company_code,
            source_system,
            source_stream,
            source_record
        from goods_receipt_lines
        where is_received or is_open

    ),

    invoices as (

        select
            'sales' as flow,
            sales_order_line_key as line_key,
            is_posted,
            is_draft,
            invoice_date,
            uom_code,
            invoice_qty,
            currency_code,
            invoice_amount_net_txn,
            invoice_amount_net_cny,
            company_code,
            source_system,
            source_stream,
            source_record
        from sales_invoice_lines
        union all by name
        select
            'purchase' as flow,
            purchase_order_line_key as line_key,
            is_posted,
            is_draft,
            invoice_date,
            uom_code,
            invoice_qty,
            currency_code,
            invoice_amount_net_txn,
            invoice_amount_net_cny,
            company_code,
            source_system,
            source_stream,
            source_record
        from supplier_invoice_lines

    ),

    laid_out as (

        select
            flow,
            line_key,
            order_no,
            'ordered' as kind,
            true as is_final,
            order_date as event_date,
            order_qty_base as qty,
            currency_code,
            order_amount_net_txn as amount_txn,
            order_amount_net_cny as amount_cny,
            company_code,
            source_system,
            source_stream,
            source_record
        from orders
        union all by name
        select
            moves.flow,
            moves.line_key,
            orders.order_no,
            'moved' as kind,
            moves.is_done as is_final,
            moves.event_date,
            moves.qty,
            moves.currency_code,
            moves.amount_txn,
            moves.amount_cny,
            moves.company_code,
            moves.source_system,
            moves.source_stream,
            moves.source_record
        from moves
        inner join orders on moves.flow = orders.flow and moves.line_key = orders.line_key
        union all by name
        select
            invoices.flow,
            invoices.line_key,
            orders.order_no,
            'invoiced' as kind,
            invoices.is_posted as is_final,
            invoices.invoice_date as event_date,
            -- an invoice counts in the unit of its order; in any other unit it is not comparable and stays
            -- out
            cast(
                round(invoices.invoice_qty * orders.order_qty_base / orders.order_qty, 4) as decimal(18, 4)
            ) as qty,
            invoices.currency_code,
            invoices.invoice_amount_net_txn as amount_txn,
            invoices.invoice_amount_net_cny as amount_cny,
            invoices.company_code,
            invoices.source_system,
            invoices.source_stream,
            invoices.source_record
        from invoices
        inner join
            orders
            on invoices.flow = orders.flow
            and invoices.line_key = orders.line_key
            and invoices.uom_code = orders.uom_code
        where (invoices.is_posted or invoices.is_draft) and orders.order_qty <> 0

    ),

    measured as (

        select *, cast(sign(qty) as integer) as direction, abs(qty) as length
        from laid_out
        -- without a quantity there is nothing to lay out; its amount then shows up as unexplained
        where qty <> 0

    )

select
    *,
    -- what is done comes first, then what is only planned or drafted
    sum(length) over (
        partition by flow, line_key, direction, kind
        order by is_final desc, event_date, source_record
        rows between unbounded preceding and current row
    )
    - length as from_qty,
    sum(length) over (
        partition by flow, line_key, direction, kind
        order by is_final desc, event_date, source_record
        rows between unbounded preceding and current row
    ) as to_qty
from measured
