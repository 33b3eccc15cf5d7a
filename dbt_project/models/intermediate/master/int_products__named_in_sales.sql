-- Which product a line of a sales document names (orders, shipments, tickets), and by which document
-- another system names it: see int_products__named. One row per line and such a document.
with

    kingdee_orders as (select * from {{ ref("stg_hc_kingdee__sales_order_lines") }}),
    u8_deliveries as (select * from {{ ref("stg_hc_u8__deliveries") }}),
    u8_delivery_lines as (select * from {{ ref("stg_hc_u8__delivery_lines") }}),
    mes_shipment_lines as (select * from {{ ref("stg_hc_mes__shipment_lines") }}),
    tickets as (select * from {{ ref("stg_hc_jira__issues") }}),
    sap_orders as (select * from {{ ref("stg_hc_sap__sales_orders") }}),
    sap_order_items as (select * from {{ ref("stg_hc_sap__sales_order_items") }}),
    web_orders as (select * from {{ ref("stg_hc_shopify__web_orders") }}),
    web_order_lines as (select * from {{ ref("stg_hc_shopify__web_order_lines") }}),
    shop_order_items as (select * from {{ ref("stg_hc_shop__order_items") }})

select
    'hc_kingdee' as source_system,
    source_product,
    order_no as document_no,
    'order:' || order_no as shared_document,
    cast(line_no as text) as shared_line
from kingdee_orders
union all
-- the subsidiary's order, which the parent delivers: positions agree, numbers of lines do not
select
    'hc_kingdee',
    source_product,
    order_no,
    'sap:' || source_document,
    cast(row_number() over (partition by order_no order by line_no) as text)
from kingdee_orders
where source_document_company is not null
union all
select
    'hc_sap',
    source_product,
    order_no,
    'sap:' || order_no,
    cast(row_number() over (partition by order_no order by line_no) as text)
from sap_order_items
union all
select
    'hc_sap',
    sap_order_items.source_product,
    sap_order_items.order_no,
    'web:' || sap_orders.customer_reference,
    null
from sap_order_items
left join sap_orders on sap_order_items.order_no = sap_orders.order_no
union all
select 'hc_shopify', web_order_lines.source_product, web_orders.order_no, 'web:' || web_orders.order_no, null
from web_order_lines
left join web_orders on web_order_lines.order_id = web_orders.order_id
union all
select
    'hc_u8',
    u8_delivery_lines.source_product,
    u8_deliveries.shipment_no,
    'order:' || u8_deliveries.order_no,
    cast(u8_delivery_lines.order_line_no as text)
from u8_delivery_lines
left join u8_deliveries on u8_delivery_lines.document_id = u8_deliveries.document_id
union all
select
    'hc_u8',
    u8_delivery_lines.source_product,
    u8_deliveries.shipment_no,
    'shipment:' || u8_deliveries.shipment_no,
    unnest([cast(u8_delivery_lines.line_no as text), null])
from u8_delivery_lines
left join u8_deliveries on u8_delivery_lines.document_id = u8_deliveries.document_id
union all
select
    'hc_mes', source_product, shipment_no, 'shipment:' || shipment_no, unnest([cast(line_no as text), null])
from mes_shipment_lines
union all
select 'hc_jira', source_product, ticket_no, 'shipment:' || shipment_no, null
from tickets
union all
select 'hc_shop', source_product, cast(order_id as text), null, null
from shop_order_items
