-- The form is a list of controls in JSON; each is found by its id. It has no currency: people claim in CNY.
with source as (select * from {{ source("hc_wecom", "expense_claim") }})

select
    approval_no,
    approval_name,
    template_id,
    cast(status_code as text) as source_status,
    applicant_id as source_applicant,
    department_id as source_department,
    json_extract(contents, '$[*]')[
        list_position(json_extract_string(contents, '$[*].id'), 'Text-15111111111')
    ]
    ->> '$.value.text' as subject,
    'CNY' as currency_code,
    cast(
        json_extract(contents, '$[*]')[
            list_position(json_extract_string(contents, '$[*].id'), 'Money-15111111112')
        ]
        ->> '$.value.new_money' as decimal(18, 2)
    ) as claim_amount_txn,
    applied_at as started_at
from source
where not _is_deleted
