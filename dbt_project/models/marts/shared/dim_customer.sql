-- One row per customer, whatever systems keep records of it: the golden record under a key that is minted
-- once
-- (master.crosswalk). `duplicate_record_count` counts the records a system holds beyond its first.
with

    golden as (
        {{
            golden(
                "customer",
                ["code", "name", "short_name", "credit_code", "country_code", "city", "address", "phone"],
            )
        }}
    ),
    members as ({{ members("customer") }})

select
    members.master_key as customer_key,
    coalesce(golden.code, members.master_key) as customer_code,
    coalesce(golden.name, '未命名') as customer_name,
    golden.short_name,
    golden.credit_code,
    golden.country_code,
    golden.city,
    golden.address as street,
    golden.phone,
    members.is_active,
    members.record_count,
    members.system_count,
    members.duplicate_record_count,
    members.source_system,
    'customer_record' as source_stream,
    members.source_record
from members
left join golden on members.master_key = golden.customer_key
union all by name
-- facts naming a customer no system knows point at the first, where everyone can see them; facts that
-- have none at all at the second
select
    'unmatched' as customer_key,
    'unmatched' as customer_code,
    '未匹配' as customer_name,
    false as is_active,
    0 as record_count,
    0 as system_count,
    0 as duplicate_record_count,
    {{ provenance("tieout", "special_member", "'unmatched'") }}
union all by name
select
    'not_applicable' as customer_key,
    'not_applicable' as customer_code,
    '不适用' as customer_name,
    false as is_active,
    0 as record_count,
    0 as system_count,
    0 as duplicate_record_count,
    {{ provenance("tieout", "special_member", "'not_applicable'") }}
