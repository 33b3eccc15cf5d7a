-- Warehouses, and two that are none: goods on the way between warehouses, and places outside all of them.
with

    locations as (select * from {{ ref("stg_hx_stock__locations") }}),
    u8_warehouses as (select * from {{ ref("stg_hc_u8__warehouses") }})

select
    {{ key(["'warehouse'", "source_location_code"]) }} as warehouse_key,
    source_location_code as warehouse_code,
    location_name as warehouse_name,
    'HX' as company_code,
    {{ provenance("hx_stock", "stock_location", "location_id") }}
from locations
where location_type = 'warehouse'
union all by name
select
    {{ key(["'warehouse'", "'hc_u8'", "source_warehouse"]) }} as warehouse_key,
    source_warehouse as warehouse_code,
    warehouse_name,
    'HC' as company_code,
    {{ provenance("hc_u8", "warehouse", "source_warehouse") }}
from u8_warehouses
union all by name
select
    {{ key(["'warehouse'", "'TRANSIT'"]) }} as warehouse_key,
    'TRANSIT' as warehouse_code,
    '在途' as warehouse_name,
    {{ provenance("tieout", "special_member", "'TRANSIT'") }}
union all by name
select
    'unmatched' as warehouse_key,
    'unmatched' as warehouse_code,
    '未匹配' as warehouse_name,
    {{ provenance("tieout", "special_member", "'unmatched'") }}
union all by name
select
    'not_applicable' as warehouse_key,
    'not_applicable' as warehouse_code,
    '不适用' as warehouse_name,
    {{ provenance("tieout", "special_member", "'not_applicable'") }}
