-- The carriers know a receiver by name and address only. Freight is CNY and includes tax.
with source as (select * from {{ source("hc_tms", "waybill") }})

select
    waybill_no,
    outbound_no as shipment_no,
    carrier as carrier_name,
    consignee as source_customer,
    address,
    phone,
    box_count,
    'CNY' as currency_code,
    cast(freight as decimal(18, 4)) as freight_amount_gross_txn,
    timezone('Asia/Shanghai', shipped_at) as shipped_at
from source
where not _is_deleted
