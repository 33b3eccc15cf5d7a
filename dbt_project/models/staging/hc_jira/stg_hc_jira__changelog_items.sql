with source as (select * from {{ source("hc_jira", "changelog_item") }})

select changelog_id as change_id, field as field_name, from_text, to_text, created as changed_at
from source
where not _is_deleted
