with vendors as (select * from {{ ref("stg_aw_oltp__vendors") }})

select
    'aw_oltp' as source_system,
    source_supplier as source_key,
    'AW' as company_code,
    supplier_code as code,
    supplier_name as name,
    is_active,
    changed_at
from vendors
