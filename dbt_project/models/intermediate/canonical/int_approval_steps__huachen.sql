-- Every step of every approval: payments and discounts (飞书), leave (钉钉), expenses (企业微信). `document_no` is
-- the document an approval is about, if it is about one.
with

    {% set feishu = ["payment_approval", "discount_approval"] %}
    leaves as (select * from {{ ref("stg_hc_dingtalk_flow__leaves") }}),
    leave_tasks as (select * from {{ ref("stg_hc_dingtalk_flow__leave_tasks") }}),
    claims as (select * from {{ ref("stg_hc_wecom__expense_claims") }}),
    claim_steps as (select * from {{ ref("stg_hc_wecom__expense_claim_steps") }}),
    approval_statuses as (select * from {{ ref("source_statuses") }} where document_type like 'approval%'),
    employees as ({{ known_to_all("employee") }}),
    departments as (select * from {{ ref("int_departments__huachen") }}),

    unioned as (

        {% for approval in feishu %}
            select
                'hc_feishu' as source_system,
                'hc_feishu' as people_system,
                '{{ approval }}_task' as source_stream,
                tasks.instance_id || '|' || tasks.step_id as source_record,
                '{{ approval.split("_")[0] }}' as approval_kind,
                heads.approval_no,
                heads.subject,
                heads.source_document as document_no,
                heads.source_applicant,
                heads.source_department,
                tasks.source_approver,
                tasks.step_name,
                tasks.source_status,
                heads.currency_code,
                heads.approval_amount_txn,
                heads.started_at,
                tasks.assigned_at,
                tasks.decided_at
            from {{ ref("stg_hc_feishu__" ~ approval ~ "_tasks") }} as tasks
            left join
                {{ ref("stg_hc_feishu__" ~ approval ~ "s") }} as heads
                on tasks.instance_id = heads.instance_id
            union all by name
        {% endfor %}
        select
            'hc_dingtalk_flow' as source_system,
            'hc_dingtalk' as people_system,
            'leave_task' as source_stream,
            tasks.instance_id || '|' || tasks.step_id as source_record,
            'leave' as approval_kind,
            heads.approval_no,
            heads.subject,
            heads.source_applicant,
            heads.source_department,
            tasks.source_approver,
            tasks.source_result as source_status,
            heads.started_at,
            tasks.assigned_at,
            tasks.decided_at
        from leave_tasks as tasks
        left join leaves as heads on tasks.instance_id = heads.instance_id
        union all by name
        select
            'hc_wecom' as source_system,
            'hc_wecom' as people_system,
            'expense_claim' as source_stream,
            steps.approval_no as source_record,
            'expense' as approval_kind,
            steps.approval_no,
            heads.subject,
            heads.source_applicant,
            heads.source_department,
            steps.source_approver,
            steps.source_status,
            heads.currency_code,
            heads.claim_amount_txn as approval_amount_txn,
            steps.step_no,
            heads.started_at,
            heads.started_at as assigned_at,
            steps.decided_at
        from claim_steps as steps
        left join claims as heads on steps.approval_no = heads.approval_no

    ),

    standard as (

        select
            source_system,
            source_status,
            any_value(status_code) filter (
                where document_type in ('approval_step', 'approval_step_result')
            ) as status_code
        from approval_statuses
        where
            document_type
            = case source_system when 'hc_dingtalk_flow' then 'approval_step_result' else 'approval_step' end
        group by source_system, source_status

    )

select
    {{
        key(
            [
                "'approval_step'",
                "unioned.source_system",
                "unioned.source_stream",
                "unioned.source_record",
                "coalesce(unioned.step_no, 0)",
            ]
        )
    }} as approval_step_key,
    unioned.approval_kind,
    unioned.approval_no,
    unioned.subject,
    unioned.document_no,
    coalesce(applicants.employee_key, 'unmatched') as applicant_employee_key,
    coalesce(approvers.employee_key, 'unmatched') as employee_key,
    case
        when unioned.source_department is null
        then 'not_applicable'
        else coalesce(departments.organisation_key, 'unmatched')
    end as organisation_key,
    unioned.step_name,
    coalesce(standard.status_code, 'unmatched') as status_code,
    cast(timezone('{{ var("company_timezone") }}', unioned.started_at) as date) as start_date,
    cast(timezone('{{ var("company_timezone") }}', unioned.decided_at) as date) as decision_date,
    unioned.started_at,
    unioned.assigned_at,
    unioned.decided_at,
    cast(
        round(date_diff('minute', unioned.assigned_at, unioned.decided_at) / 60.0, 2) as decimal(12, 2)
    ) as waiting_hours,
    unioned.currency_code,
    cast(unioned.approval_amount_txn as decimal(18, 2)) as approval_amount_txn,
    {{ of_company("HC") }},
    unioned.source_system,
    unioned.source_stream,
    unioned.source_record
from unioned
left join
    standard
    on unioned.source_system = standard.source_system
    and unioned.source_status = standard.source_status
left join
    employees as applicants
    on unioned.people_system = applicants.source_system
    and unioned.source_applicant = applicants.known_as
left join
    employees as approvers
    on unioned.people_system = approvers.source_system
    and unioned.source_approver = approvers.known_as
left join
    departments
    on unioned.people_system = departments.source_system
    and unioned.source_department = departments.known_as
