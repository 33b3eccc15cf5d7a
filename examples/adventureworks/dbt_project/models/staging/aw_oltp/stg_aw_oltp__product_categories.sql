select category_id, category_name from {{ source("aw_oltp", "product_category") }} where not _is_deleted
