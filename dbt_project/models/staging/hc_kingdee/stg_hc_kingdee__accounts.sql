with source as (select * from {{ source("hc_kingdee", "account") }})

select
    account_code as source_account,
    account_id,
    account_name,
    parent_code as source_parent_account,
    coalesce(forbidden_code = 'B', false) as is_disabled,
    timezone('Asia/Shanghai', created_at) as created_at,
    timezone('Asia/Shanghai', modified_at) as changed_at
from source
where not _is_deleted
