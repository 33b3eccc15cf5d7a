-- What people typed as a day is that day's midnight in company time. Amounts are in CNY without tax.
with source as (select * from {{ source("hc_crm", "opportunity") }})

select
    opportunity_id,
    opportunity_no,
    customer_id as customer_record_id,
    customer_code as source_customer,
    owner_id as source_owner,
    order_no,
    stage as source_stage,
    'CNY' as currency_code,
    cast(expected_amount as decimal(18, 4)) as opportunity_amount_net_txn,
    cast(timezone('Asia/Shanghai', expected_at) as date) as expected_date,
    created_at,
    updated_at as changed_at
from source
where not _is_deleted
