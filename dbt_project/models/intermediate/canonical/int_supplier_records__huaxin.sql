with suppliers as (select * from {{ ref("stg_hx_purchasing__suppliers") }})

select
    'hx_purchasing' as source_system,
    supplier_code as source_key,
    'HX' as company_code,
    supplier_code as code,
    supplier_name as name,
    credit_code,
    city,
    street as address,
    phone,
    is_active
from suppliers
