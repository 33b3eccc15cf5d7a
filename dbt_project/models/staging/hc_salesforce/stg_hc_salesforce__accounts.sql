-- What was thrown away or merged is gone from here.
with source as (select * from {{ source("hc_salesforce", "account") }})

select
    id as source_customer,
    name as customer_name,
    erp_customer_c as stated_erp_customer,
    vat_number_c as vat_number,
    billing_street as address,
    billing_city as city,
    billing_country as country_code,
    phone,
    owner_id as source_owner,
    created_date as created_at,
    system_modstamp as changed_at
from source
where not _is_deleted
