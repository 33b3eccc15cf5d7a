-- Every shipment document under the reference the stock system prints on its moves
-- ('stock.shipment.out,9').
with

    supplier_shipments as (select * from {{ ref("stg_hx_stock__supplier_shipments") }}),
    customer_shipments as (select * from {{ ref("stg_hx_stock__customer_shipments") }}),
    customer_return_shipments as (select * from {{ ref("stg_hx_stock__customer_return_shipments") }}),
    internal_shipments as (select * from {{ ref("stg_hx_stock__internal_shipments") }}),
    partners as (select * from {{ ref("stg_hx_stock__partners") }}),

    unioned as (

        select 'stock.shipment.in,' || shipment_id as shipment_reference, shipment_no, partner_id
        from supplier_shipments
        union all
        select 'stock.shipment.out,' || shipment_id, shipment_no, partner_id
        from customer_shipments
        union all
        select 'stock.shipment.out.return,' || shipment_id, shipment_no, partner_id
        from customer_return_shipments
        union all
        select 'stock.shipment.internal,' || shipment_id, shipment_no, null
        from internal_shipments

    )

select unioned.shipment_reference, unioned.shipment_no, partners.partner_code
from unioned
left join partners on unioned.partner_id = partners.partner_id
