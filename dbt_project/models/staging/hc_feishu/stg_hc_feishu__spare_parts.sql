-- After-sales names customers by hand and has no code for them. `source_owner_open_id` is the `open_id`
-- of a member, not what approvals name people by.
with source as (select * from {{ source("hc_feishu", "spare_part") }})

select
    record_id,
    ticket_no,
    customer_name as source_customer,
    part_code as source_product,
    owner_id as source_owner_open_id,
    status as source_status,
    json_extract_string(labels, '$[*]') as labels,
    array_to_string(json_extract_string(remark, '$[*].text'), '') as remark,
    coalesce(is_closed, false) as is_closed,
    'CNY' as currency_code,
    cast(quantity as decimal(18, 4)) as part_qty,
    cast(amount as decimal(18, 4)) as part_amount_net_txn,
    needed_on as needed_date,
    created_at,
    modified_at as changed_at
from source
where not _is_deleted
