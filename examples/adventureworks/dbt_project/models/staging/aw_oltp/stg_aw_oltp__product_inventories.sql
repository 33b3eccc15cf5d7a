select
    cast(product_id as text) as source_product,
    cast(location_id as text) as source_warehouse,
    quantity as on_hand_qty,
    cast(modified_at as date) as changed_date
from {{ source("aw_oltp", "product_inventory") }}
where not _is_deleted
