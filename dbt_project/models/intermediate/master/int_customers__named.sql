-- Which customer a document names, and by which number another system's document can be found: the
-- sales order, the delivery, the ticket. One row per document and such a number; without one, the
-- document still tells that the system knows the customer.
with

    kingdee_orders as (select * from {{ ref("stg_hc_kingdee__sales_order_lines") }}),
    crm_opportunities as (select * from {{ ref("stg_hc_crm__opportunities") }}),
    u8_deliveries as (select * from {{ ref("stg_hc_u8__deliveries") }}),
    mes_shipments as (select * from {{ ref("stg_hc_mes__shipments") }}),
    waybills as (select * from {{ ref("stg_hc_tms__waybills") }}),
    tickets as (select * from {{ ref("stg_hc_jira__issues") }}),
    spare_parts as (select * from {{ ref("stg_hc_feishu__spare_parts") }}),
    sap_orders as (select * from {{ ref("stg_hc_sap__sales_orders") }}),
    salesforce_opportunities as (select * from {{ ref("stg_hc_salesforce__opportunities") }}),

    named as (

        select distinct
            'hc_kingdee' as source_system,
            source_customer,
            order_no as document_no,
            'order:' || order_no as shared_number
        from kingdee_orders
        union all
        select 'hc_crm', source_customer, opportunity_no, 'order:' || order_no
        from crm_opportunities
        union all
        select
            'hc_u8', source_customer, shipment_no, unnest(['order:' || order_no, 'shipment:' || shipment_no])
        from u8_deliveries
        union all
        select
            'hc_mes', source_customer, shipment_no, unnest(['order:' || order_no, 'shipment:' || shipment_no])
        from mes_shipments
        union all
        select 'hc_tms', source_customer, waybill_no, 'shipment:' || shipment_no
        from waybills
        union all
        select
            'hc_jira',
            source_customer,
            ticket_no,
            unnest(['shipment:' || shipment_no, 'ticket:' || ticket_no])
        from tickets
        union all
        select 'hc_feishu', source_customer, record_id, 'ticket:' || ticket_no
        from spare_parts
        union all
        select 'hc_sap', source_customer, order_no, 'sap:' || order_no
        from sap_orders
        union all
        select 'hc_salesforce', source_customer, opportunity_no, 'sap:' || order_no
        from salesforce_opportunities

    )

select source_system, source_customer, document_no, shared_number
from named
where source_customer is not null
