with customers as (select * from {{ ref("int_customers__described") }})

select
    'hx_sales' as source_system,
    customer_code as source_key,
    'HX' as company_code,
    customer_code as code,
    customer_name as name,
    credit_code,
    city,
    street as address,
    phone,
    is_active
from customers
