with source as (select * from {{ source("hx_purchasing", "supplier") }})

select supplier_code, supplier_name, credit_code, city, street, phone, is_active = '是' as is_active
from source
where not _is_deleted
