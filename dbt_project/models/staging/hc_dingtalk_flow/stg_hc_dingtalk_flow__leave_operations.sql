-- One row per operation that a request tells, taken out of its JSON: the only place with a step's name.
with

    source as (select * from {{ source("hc_dingtalk_flow", "leave") }}),

    told as (

        select
            instance_id,
            unnest(json_extract(operations, '$[*]')) as operation,
            unnest(range(1, len(json_extract(operations, '$[*]')) + 1)) as operation_no
        from source
        where not _is_deleted

    )

select
    instance_id,
    operation_no,
    operation ->> '$.activityId' as activity_id,
    operation ->> '$.showName' as step_name,
    operation ->> '$.userId' as source_approver,
    operation ->> '$.type' as source_operation_type,
    operation ->> '$.result' as source_result,
    operation ->> '$.remark' as remark,
    -- written in UTC to the minute: 2023-12-31T13:47Z
    timezone('UTC', try_strptime(operation ->> '$.date', '%Y-%m-%dT%H:%MZ')) as operated_at
from told
