-- The form is a list of widgets in JSON; each is found by its id.
with source as (select * from {{ source("hc_feishu", "discount_approval") }})

select
    instance_id,
    approval_name,
    serial_no as approval_no,
    status_code as source_status,
    applicant_id as source_applicant,
    department_id as source_department,
    coalesce(is_reverted, false) as is_reverted,
    json_extract(form, '$[*]')[list_position(json_extract_string(form, '$[*].id'), 'widget_title')]
    ->> '$.value' as subject,
    json_extract(form, '$[*]')[list_position(json_extract_string(form, '$[*].id'), 'widget_reference')]
    ->> '$.value' as source_document,
    json_extract(form, '$[*]')[list_position(json_extract_string(form, '$[*].id'), 'widget_amount')]
    ->> '$.ext' as currency_code,
    cast(
        json_extract(form, '$[*]')[list_position(json_extract_string(form, '$[*].id'), 'widget_amount')]
        ->> '$.value' as decimal(18, 2)
    ) as approval_amount_txn,
    started_at,
    ended_at
from source
where not _is_deleted
