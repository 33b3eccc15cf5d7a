with source as (select * from {{ source("hc_u8", "purchase_order") }})

select
    order_id,
    order_no,
    vendor_code as source_supplier,
    department_code as source_department,
    buyer_code as source_buyer,
    business_type as source_business_type,
    -- the system names currencies in words
    case
        currency_name when '人民币' then 'CNY' when '美元' then 'USD' when '欧元' then 'EUR' else currency_name
    end as currency_code,
    request_no,
    state_code as source_status,
    maker as maker_name,
    verifier as approver_name,
    closer as closer_name,
    order_date,
    cast(exchange_rate as decimal(18, 8)) as cny_per_unit,
    cast(tax_percent / 100 as decimal(9, 4)) as tax_rate,
    timezone('Asia/Shanghai', made_at) as created_at,
    timezone('Asia/Shanghai', approved_at) as approved_at
from source
where not _is_deleted
