-- Consumers and resellers are two lists there, each counted from its own one: a letter tells them apart.
select
    'C' || customer_key as source_customer,
    account_number,
    concat_ws(' ', first_name, middle_name, last_name) as customer_name,
    address,
    phone,
    geography_key
from {{ source("aw_sales_dw", "customer") }}
where not _is_deleted
