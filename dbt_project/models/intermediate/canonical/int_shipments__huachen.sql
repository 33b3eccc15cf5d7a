-- Waybills of the carriers with the signature of the receiver. Freight includes tax. The customer is that of
-- the delivery it carries; how the carrier spells the receiver is a record of master data beside it.
with

    waybills as (select * from {{ ref("stg_hc_tms__waybills") }}),
    signatures as (select * from {{ ref("stg_hc_tms__signatures") }}),
    deliveries as (select * from {{ ref("stg_hc_u8__deliveries") }}),
    customers as ({{ known_to("hc_u8", "customer") }}),
    warehouses as (select * from {{ ref("dim_warehouse") }} where source_system = 'hc_u8')

select
    {{ key(["'shipment'", "'hc_tms'", "waybills.waybill_no"]) }} as shipment_key,
    waybills.waybill_no,
    waybills.shipment_no,
    deliveries.order_no,
    coalesce(customers.customer_key, 'unmatched') as customer_key,
    coalesce(warehouses.warehouse_key, 'unmatched') as warehouse_key,
    waybills.carrier_name,
    cast(timezone('Asia/Shanghai', waybills.shipped_at) as date) as ship_date,
    cast(timezone('Asia/Shanghai', signatures.signed_at) as date) as signed_date,
    waybills.shipped_at,
    signatures.signed_at,
    cast(
        round(date_diff('minute', waybills.shipped_at, signatures.signed_at) / 60.0, 2) as decimal(12, 2)
    ) as transit_hours,
    signatures.signed_at is not null as is_signed,
    case when signatures.signed_at is null then 'processing' else 'done' end as status_code,
    waybills.box_count,
    signatures.box_count as signed_box_count,
    waybills.currency_code,
    cast(waybills.freight_amount_gross_txn as decimal(18, 2)) as freight_amount_gross_txn,
    case
        when waybills.currency_code = '{{ var("reporting_currency") }}'
        then cast(waybills.freight_amount_gross_txn as decimal(18, 2))
    end as freight_amount_gross_cny,
    {{ of_company("HC") }},
    {{ provenance("hc_tms", "waybill", "waybills.waybill_no") }}
from waybills
left join signatures on waybills.waybill_no = signatures.waybill_no
left join deliveries on waybills.shipment_no = deliveries.shipment_no
left join customers on deliveries.source_customer = customers.known_as
left join warehouses on deliveries.source_warehouse = warehouses.warehouse_code
