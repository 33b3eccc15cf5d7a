-- Amounts are what sales expects, tax included.
with source as (select * from {{ source("hc_salesforce", "opportunity") }})

select
    id as opportunity_id,
    opportunity_number_c as opportunity_no,
    name as opportunity_name,
    account_id as source_customer,
    owner_id as source_owner,
    erp_order_c as order_no,
    stage_name as source_stage,
    currency_iso_code as currency_code,
    coalesce(is_closed, false) as is_closed,
    coalesce(is_won, false) as is_won,
    cast(probability / 100 as decimal(9, 4)) as conversion_probability,
    cast(amount as decimal(18, 2)) as opportunity_amount_gross_txn,
    close_date as expected_date,
    created_date as created_at,
    system_modstamp as changed_at
from source
where not _is_deleted
