select
    cast(product_id as text) as source_product,
    started_on as valid_from,
    ended_on as valid_to,
    list_price as list_price_txn
from {{ source("aw_oltp", "product_list_price") }}
where not _is_deleted
