with departments as (select * from {{ ref("stg_aw_oltp__departments") }})

select
    'AW-' || source_department as organisation_code,
    department_name as organisation_name,
    'department' as organisation_kind,
    'AW' as parent_code,
    {{ provenance("aw_oltp", "department", "source_department") }}
from departments
