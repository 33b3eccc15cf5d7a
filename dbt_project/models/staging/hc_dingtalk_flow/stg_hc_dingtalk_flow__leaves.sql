with source as (select * from {{ source("hc_dingtalk_flow", "leave") }})

select
    instance_id,
    business_no as approval_no,
    subject,
    status_code as source_status,
    result_code as source_result,
    applicant_id as source_applicant,
    cast(department_id as text) as source_department,
    department_name,
    created_at as started_at,
    finished_at as ended_at
from source
where not _is_deleted
