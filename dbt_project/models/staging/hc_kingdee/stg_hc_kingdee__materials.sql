with source as (select * from {{ source("hc_kingdee", "material") }})

select
    material_code as source_product,
    material_id as product_id,
    material_name as product_name,
    specification,
    old_code,
    group_code as source_product_group,
    -- the company's own groups
    case group_code when '01' then 'material' when '02' then 'finished' end as product_kind,
    uom_code as source_uom,
    status_code as source_status,
    coalesce(forbidden_code = 'B', false) as is_disabled,
    timezone('Asia/Shanghai', created_at) as created_at,
    timezone('Asia/Shanghai', modified_at) as changed_at
from source
where not _is_deleted
