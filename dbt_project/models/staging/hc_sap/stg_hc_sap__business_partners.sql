-- A partner that never changed has no change date; a day is its midnight in UTC.
with source as (select * from {{ source("hc_sap", "business_partner") }})

select
    business_partner as source_customer,
    customer as customer_code,
    business_partner_full_name as customer_name,
    business_partner_category as source_category,
    search_term1 as search_term,
    tax_number as vat_number,
    country as country_code,
    city_name as city,
    street_name as address,
    phone_number as phone,
    coalesce(business_partner_is_blocked, false) as is_disabled,
    timezone('UTC', cast(creation_date as timestamp)) as created_at,
    timezone('UTC', cast(coalesce(last_change_date, creation_date) as timestamp)) as changed_at
from source
where not _is_deleted
