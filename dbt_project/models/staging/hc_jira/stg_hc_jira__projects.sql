with source as (select * from {{ source("hc_jira", "project") }})

select id as project_id, key as project_code, name as project_name
from source
where not _is_deleted
