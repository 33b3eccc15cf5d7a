-- Warehouses, and two that are none: goods on the way between warehouses, and places outside all of them.
with warehouses as ({{ every_company("warehouses") }})

select *
from warehouses
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
