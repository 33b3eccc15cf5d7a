-- Every sales order line of the parent (Kingdee) and of the subsidiary (SAP), as documents further on name
-- it:
-- by order number and line number. An order the subsidiary passes on to its parent is the group's own
-- business.
with

    kingdee_lines as (select * from {{ ref("stg_hc_kingdee__sales_order_lines") }}),
    sap_orders as (select * from {{ ref("stg_hc_sap__sales_orders") }}),
    sap_items as (select * from {{ ref("stg_hc_sap__sales_order_items") }}),

    lines as (

        select
            'HC' as company_code,
            'hc_kingdee' as source_system,
            'sales_order_line' as source_stream,
            cast(line_id as text) as source_record,
            cast(order_id as text) as order_id,
            cast(line_id as text) as line_id,
            order_no,
            line_no,
            source_customer,
            source_salesperson,
            source_product,
            source_uom,
            source_status,
            is_closed,
            source_document,
            cast(null as text) as customer_reference,
            source_document_company is not null as is_intercompany,
            order_date,
            planned_ship_date,
            order_qty,
            unit_price_txn,
            tax_rate,
            currency_code,
            order_amount_net_txn,
            order_amount_tax_txn
        from kingdee_lines
        union all by name
        select
            'HCE' as company_code,
            'hc_sap' as source_system,
            'sales_order_item' as source_stream,
            items.order_no || '|' || items.line_no as source_record,
            items.order_no as order_id,
            items.order_no || '-' || items.line_no as line_id,
            items.order_no,
            items.line_no,
            orders.source_customer,
            items.source_product,
            items.source_uom,
            items.delivery_status as source_status,
            items.delivery_status = 'C' as is_closed,
            cast(null as text) as source_document,
            orders.customer_reference,
            false as is_intercompany,
            orders.order_date,
            orders.planned_ship_date,
            items.order_qty,
            cast(items.order_amount_net_txn / nullif(items.order_qty, 0) as decimal(18, 4)) as unit_price_txn,
            cast(
                round(items.order_amount_tax_txn / nullif(items.order_amount_net_txn, 0), 2) as decimal(9, 4)
            ) as tax_rate,
            items.currency_code,
            items.order_amount_net_txn,
            items.order_amount_tax_txn
        from sap_items as items
        left join sap_orders as orders on items.order_no = orders.order_no

    ),

    priced as ({{ priced_on("lines", "order_date") }})

select *, {{ key(["'sales_order_line'", "source_system", "line_id"]) }} as sales_order_line_key
from priced
