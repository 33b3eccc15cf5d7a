with source as (select * from {{ source("hc_mes", "shipment") }})

select
    outbound_no as shipment_no,
    sales_order_no as order_no,
    customer_no as source_customer,
    warehouse_code as source_warehouse,
    carrier as carrier_name,
    waybill_no,
    box_count,
    picked_at,
    shipped_at,
    updated_at as changed_at
from source
where not _is_deleted
