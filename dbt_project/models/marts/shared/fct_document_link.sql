-- Which document led to which, of every company: opportunity → order → delivery → waybill and invoice →
-- receipt;
-- request → order → goods receipt → check and invoice → payment; work order → issue and output; approvals and
-- tickets beside them. One row per pair of documents, made of what the documents themselves name.
with

    sales_order_lines as (select * from {{ ref("fct_sales_order_line") }}),
    delivery_lines as (select * from {{ ref("fct_delivery_line") }}),
    sales_invoice_lines as (select * from {{ ref("fct_sales_invoice_line") }}),
    purchase_order_lines as (select * from {{ ref("fct_purchase_order_line") }}),
    goods_receipt_lines as (select * from {{ ref("fct_goods_receipt_line") }}),
    supplier_invoice_lines as (select * from {{ ref("fct_supplier_invoice_line") }}),
    payments as (select * from {{ ref("fct_payment") }}),
    opportunities as (select * from {{ ref("fct_opportunity") }}),
    platform_orders as (select * from {{ ref("fct_platform_order_line") }}),

    linked as (

        select
            company_code,
            'opportunity' as from_kind,
            opportunity_no as from_no,
            'sales_order' as to_kind,
            order_no as to_no,
            closed_date as linked_date
        from opportunities
        where order_no is not null
        union all
        -- an order of the subsidiary that the parent delivers, under the number the parent gives it
        select
            ordering.company_code,
            'sales_order',
            ordering.order_no,
            'sales_order',
            lines.order_no,
            lines.order_date
        from sales_order_lines as lines
        inner join
            sales_order_lines as ordering
            on lines.is_intercompany
            and lines.source_document = ordering.order_no
        union all
        select
            orders.company_code,
            'platform_order',
            orders.order_no,
            'sales_order',
            lines.order_no,
            lines.order_date
        from platform_orders as orders
        inner join
            sales_order_lines as lines
            on orders.company_code = lines.company_code
            and orders.order_no = lines.customer_reference
        union all
        select
            lines.company_code, 'sales_order', lines.order_no, 'delivery', moves.shipment_no, moves.ship_date
        from delivery_lines as moves
        inner join sales_order_lines as lines on moves.sales_order_line_key = lines.sales_order_line_key
        where moves.is_shipped
        union all
        select company_code, 'delivery', shipment_no, 'shipment', waybill_no, ship_date
        from {{ ref("fct_shipment") }}
        union all
        -- an invoice follows the delivery it names, even where the line of the order is lost, or else the
        -- order
        select
            invoices.company_code,
            case when invoices.shipment_no is null then 'sales_order' else 'delivery' end,
            coalesce(invoices.shipment_no, lines.order_no),
            'sales_invoice',
            invoices.invoice_no,
            invoices.invoice_date
        from sales_invoice_lines as invoices
        left join sales_order_lines as lines on invoices.sales_order_line_key = lines.sales_order_line_key
        union all
        select
            company_code,
            case payment_kind when 'customer_receipt' then 'sales_invoice' else 'supplier_invoice' end,
            invoice_no,
            payment_kind,
            ledger_move_no,
            payment_date
        from payments
        where invoice_no is not null and payment_kind in ('customer_receipt', 'supplier_payment')
        union all
        select company_code, 'purchase_request', request_no, 'purchase_order', order_no, order_date
        from purchase_order_lines
        where request_no is not null
        union all
        select
            lines.company_code,
            'purchase_order',
            lines.order_no,
            'goods_receipt',
            moves.shipment_no,
            moves.receipt_date
        from goods_receipt_lines as moves
        inner join
            purchase_order_lines as lines on moves.purchase_order_line_key = lines.purchase_order_line_key
        where moves.is_received
        union all
        select
            invoices.company_code,
            case when invoices.receipt_no is null then 'purchase_order' else 'goods_receipt' end,
            coalesce(invoices.receipt_no, lines.order_no),
            'supplier_invoice',
            invoices.invoice_no,
            invoices.invoice_date
        from supplier_invoice_lines as invoices
        left join
            purchase_order_lines as lines on invoices.purchase_order_line_key = lines.purchase_order_line_key
        union all
        select company_code, 'goods_receipt', receipt_no, 'quality_check', check_no, check_date
        from {{ ref("fct_quality_check") }}
        where receipt_no is not null
        union all
        select company_code, 'work_order', work_order_no, 'material_issue', stock_move_id, effective_date
        from {{ ref("fct_material_issue") }}
        where is_done and work_order_no is not null
        union all
        select company_code, 'work_order', work_order_no, 'production_output', stock_move_id, effective_date
        from {{ ref("fct_production_output") }}
        where is_done and work_order_no is not null
        union all
        select company_code, 'delivery', shipment_no, 'service_ticket', ticket_no, open_date
        from {{ ref("fct_service_ticket") }}
        where shipment_no is not null
        union all
        select
            company_code,
            case approval_kind when 'discount' then 'sales_order' else 'supplier_payment' end,
            document_no,
            'approval',
            approval_no,
            decision_date
        from {{ ref("fct_approval_step") }}
        where document_no is not null and approval_kind in ('discount', 'payment')

    )

select
    {{ key(["'document_link'", "company_code", "from_kind", "from_no", "to_kind", "to_no"]) }}
    as document_link_key,
    company_code,
    {{ key(["'organisation'", "company_code"]) }} as company_key,
    from_kind,
    from_no,
    to_kind,
    to_no,
    min(linked_date) as linked_date,
    count(*) as line_count,
    'tieout' as source_system,
    'document_link' as source_stream,
    from_kind || ' ' || from_no || ' ' || to_kind || ' ' || to_no as source_record
from linked
where from_no is not null and to_no is not null
group by company_code, from_kind, from_no, to_kind, to_no
