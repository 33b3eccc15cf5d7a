select
    cast(product_id as text) as source_product,
    started_on as valid_from,
    ended_on as valid_to,
    standard_cost as standard_cost_txn
from {{ source("aw_oltp", "product_cost") }}
where not _is_deleted
