with locations as (select * from {{ ref("stg_hx_stock__locations") }})

select
    {{ key(["'warehouse'", "source_location_code"]) }} as warehouse_key,
    source_location_code as warehouse_code,
    location_name as warehouse_name,
    'HX' as company_code,
    {{ provenance("hx_stock", "stock_location", "location_id") }}
from locations
where location_type = 'warehouse'
