-- A department of 华辰 stands where HR says it stands now.
with departments as (select * from {{ ref("stg_hc_hr__departments") }})

select
    'HC-' || source_department as organisation_code,
    department_name as organisation_name,
    'department' as organisation_kind,
    'HC' || coalesce('-' || source_parent_department, '') as parent_code,
    {{ provenance("hc_hr", "department", "source_department") }}
from departments
where valid_to is null
