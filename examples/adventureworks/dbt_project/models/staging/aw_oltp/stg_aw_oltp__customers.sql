select account_number as source_customer, person_id, store_id, modified_at as changed_at
from {{ source("aw_oltp", "customer") }}
where not _is_deleted
