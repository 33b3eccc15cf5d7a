with source as (select * from {{ source("hc_u8", "other_issue") }})

select
    document_id,
    document_no,
    document_date,
    business_type as source_business_type,
    movement_code as source_movement_type,
    warehouse_code as source_warehouse,
    business_no as source_document,
    maker as maker_name,
    handler as approver_name,
    handler is not null as is_approved,
    timezone('Asia/Shanghai', made_at) as created_at,
    approved_on as approved_date
from source
where not _is_deleted
