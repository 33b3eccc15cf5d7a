select rate_date, from_currency as from_currency_code, to_currency as to_currency_code, average_rate as price
from {{ source("aw_oltp", "currency_rate") }}
where not _is_deleted
