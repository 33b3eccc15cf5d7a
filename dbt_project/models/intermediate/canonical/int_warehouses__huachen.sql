with warehouses as (select * from {{ ref("stg_hc_u8__warehouses") }})

select
    {{ key(["'warehouse'", "'hc_u8'", "source_warehouse"]) }} as warehouse_key,
    source_warehouse as warehouse_code,
    warehouse_name,
    'HC' as company_code,
    {{ provenance("hc_u8", "warehouse", "source_warehouse") }}
from warehouses
