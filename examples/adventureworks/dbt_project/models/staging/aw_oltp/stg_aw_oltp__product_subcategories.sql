select subcategory_id, category_id, subcategory_name
from {{ source("aw_oltp", "product_subcategory") }}
where not _is_deleted
