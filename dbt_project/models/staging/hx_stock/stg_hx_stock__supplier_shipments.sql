with source as (select * from {{ source("hx_stock", "stock_shipment_in") }})

select
    id as shipment_id,
    cast(number as text) as shipment_no,
    supplier as partner_id,
    state as source_status,
    cast(effective_date as date) as shipment_date
from source
where not _is_deleted
