with suppliers as (select * from {{ ref("stg_hx_purchasing__suppliers") }})

select
    {{ key(["'supplier'", "supplier_code"]) }} as supplier_key,
    supplier_code,
    supplier_name,
    credit_code,
    city,
    street,
    phone,
    is_active,
    {{ provenance("hx_purchasing", "supplier", "supplier_code") }}
from suppliers
union all by name
select
    'unmatched' as supplier_key,
    'unmatched' as supplier_code,
    '未匹配' as supplier_name,
    false as is_active,
    {{ provenance("tieout", "special_member", "'unmatched'") }}
union all by name
select
    'not_applicable' as supplier_key,
    'not_applicable' as supplier_code,
    '不适用' as supplier_name,
    false as is_active,
    {{ provenance("tieout", "special_member", "'not_applicable'") }}
