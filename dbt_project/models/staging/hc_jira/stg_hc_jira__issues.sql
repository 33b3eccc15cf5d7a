-- Customer, product and delivery are typed by hand.
with source as (select * from {{ source("hc_jira", "issue") }})

select
    id as issue_id,
    key as ticket_no,
    project as project_code,
    issue_type,
    summary as subject,
    status as source_status,
    priority as source_priority,
    assignee as source_assignee,
    assignee_name,
    customer_code as source_customer,
    product_code as source_product,
    delivery as shipment_no,
    created as created_at,
    updated as changed_at,
    resolved as resolved_at
from source
where not _is_deleted
