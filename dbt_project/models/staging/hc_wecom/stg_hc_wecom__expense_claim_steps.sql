-- One row per step of a claim, taken out of its JSON by order; of several people asked in a step, the first.
with

    source as (select * from {{ source("hc_wecom", "expense_claim") }}),

    asked as (

        select
            approval_no,
            applied_at,
            unnest(json_extract(steps, '$[*]')) as step,
            unnest(range(1, len(json_extract(steps, '$[*]')) + 1)) as step_no
        from source
        where not _is_deleted

    )

select
    approval_no,
    step_no,
    step ->> '$.sp_status' as source_status,
    step ->> '$.details[0].approver.userid' as source_approver,
    step ->> '$.details[0].speech' as remark,
    applied_at as started_at,
    -- seconds since 1970; 0 while nobody has decided
    to_timestamp(nullif(cast(step ->> '$.details[0].sptime' as bigint), 0)) as decided_at
from asked
