with locations as (select * from {{ ref("stg_aw_oltp__locations") }})

select
    {{ key(["'warehouse'", "'aw_oltp'", "source_warehouse"]) }} as warehouse_key,
    'AW-' || source_warehouse as warehouse_code,
    warehouse_name,
    'AW' as company_code,
    {{ provenance("aw_oltp", "location", "location_id") }}
from locations
