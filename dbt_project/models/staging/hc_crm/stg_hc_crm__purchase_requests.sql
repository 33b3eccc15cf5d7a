-- A request becomes an order per supplier: their numbers are written into one field.
with source as (select * from {{ source("hc_crm", "purchase_request") }})

select
    request_id,
    request_no,
    applicant_id as source_applicant,
    cast(department_no as text) as source_department,
    cast(flow_state as text) as source_status,
    string_split(order_nos, ',') as order_nos,
    decided_at,
    created_at,
    updated_at as changed_at
from source
where not _is_deleted
