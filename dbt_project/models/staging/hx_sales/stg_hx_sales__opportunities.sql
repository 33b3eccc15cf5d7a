-- `employee` is the record number the HR sheet prints in its column 记录号.
with source as (select * from {{ source("hx_sales", "sale_opportunity") }})

select
    id as opportunity_id,
    cast(number as text) as opportunity_no,
    description as opportunity_name,
    state as source_status,
    party as customer_id,
    employee as employee_record_id,
    currency as currency_id,
    cast(amount as decimal(18, 2)) as opportunity_amount_txn,
    cast(conversion_probability as decimal(9, 4)) as conversion_probability,
    cast(start_date as date) as opened_date,
    cast(end_date as date) as closed_date
from source
where not _is_deleted
