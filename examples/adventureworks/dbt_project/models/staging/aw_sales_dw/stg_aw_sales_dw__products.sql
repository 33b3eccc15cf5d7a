select
    cast(product_key as text) as source_product,
    product_number,
    product_name,
    case when is_finished then 'finished' else 'material' end as product_kind,
    coalesce(version_status = 'Current', false) as is_active
from {{ source("aw_sales_dw", "product") }}
where not _is_deleted
