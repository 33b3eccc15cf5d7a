-- One row per person, whatever systems know them: the golden record under a key that is minted once
-- (master.crosswalk).
with

    golden as ({{ golden("employee", ["employee_no", "name", "mobile", "hired_on"]) }}),
    members as ({{ members("employee") }})

select
    members.master_key as employee_key,
    coalesce(golden.employee_no, members.master_key) as employee_no,
    coalesce(golden.name, '未命名') as employee_name,
    golden.mobile as phone,
    try_cast(golden.hired_on as date) as hired_on,
    members.is_active,
    members.record_count,
    members.system_count,
    members.duplicate_record_count,
    members.source_system,
    'employee_record' as source_stream,
    members.source_record
from members
left join golden on members.master_key = golden.employee_key
union all by name
-- facts naming a employee no system knows point at the first, where everyone can see them; facts that
-- have none at all at the second
select
    'unmatched' as employee_key,
    'unmatched' as employee_no,
    '未匹配' as employee_name,
    false as is_active,
    0 as record_count,
    0 as system_count,
    0 as duplicate_record_count,
    {{ provenance("tieout", "special_member", "'unmatched'") }}
union all by name
select
    'not_applicable' as employee_key,
    'not_applicable' as employee_no,
    '不适用' as employee_name,
    false as is_active,
    0 as record_count,
    0 as system_count,
    0 as duplicate_record_count,
    {{ provenance("tieout", "special_member", "'not_applicable'") }}
