select store_id, store_name from {{ source("aw_oltp", "store") }} where not _is_deleted
