with source as (select * from {{ source("hc_jira", "changelog") }})

select id as change_id, issue_id, author as source_author, created as changed_at
from source
where not _is_deleted
