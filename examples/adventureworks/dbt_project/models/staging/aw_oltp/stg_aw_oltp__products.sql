select
    cast(product_id as text) as source_product,
    product_number,
    product_name,
    case when is_finished then 'finished' else 'material' end as product_kind,
    standard_cost as standard_cost_txn,
    subcategory_id,
    discontinued_at is null and sell_end_at is null as is_active
from {{ source("aw_oltp", "product") }}
where not _is_deleted
