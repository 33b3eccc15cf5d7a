select location_id, cast(location_id as text) as source_warehouse, location_name as warehouse_name
from {{ source("aw_oltp", "location") }}
where not _is_deleted
