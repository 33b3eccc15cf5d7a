with source as (select * from {{ source("hc_sap", "product") }})

select
    product as source_product,
    product_type as source_product_type,
    product_group as source_product_group,
    case product_type when 'ROH' then 'material' when 'FERT' then 'finished' end as product_kind,
    -- the parent's own item number
    product_old_id as old_code,
    base_unit as source_uom,
    coalesce(is_marked_for_deletion, false) as is_disabled,
    creation_date as created_date,
    last_change_date_time as changed_at
from source
where not _is_deleted
