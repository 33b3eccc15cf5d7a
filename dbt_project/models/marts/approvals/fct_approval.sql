-- Approvals as people count them: an approval is decided when every step of it is, and on the day of the
-- last one.
with

    approval_steps as (select * from {{ ref("fct_approval_step") }}),

    approvals as (

        select
            source_system,
            approval_kind,
            approval_no,
            any_value(applicant_employee_key) as applicant_employee_key,
            any_value(organisation_key) as organisation_key,
            min(started_at) as started_at,
            min(start_date) as start_date,
            bool_and(decided_at is not null) as is_decided,
            bool_or(status_code = 'rejected') as is_rejected,
            case when bool_and(decided_at is not null) then max(decided_at) end as decided_at,
            case when bool_and(decided_at is not null) then max(decision_date) end as decision_date,
            count(*) as step_count,
            any_value(company_code) as company_code,
            any_value(company_key) as company_key,
            min(source_stream) as source_stream,
            -- the first step stands for the approval where its row in the source is asked for
            min_by(source_record, (started_at, assigned_at, source_record)) as source_record
        from approval_steps
        group by source_system, approval_kind, approval_no

    )

select
    {{ key(["'approval'", "approvals.source_system", "approvals.approval_kind", "approvals.approval_no"]) }}
    as approval_key,
    approvals.approval_kind,
    approvals.approval_no,
    approvals.applicant_employee_key,
    approvals.organisation_key,
    approvals.start_date,
    approvals.decision_date,
    approvals.started_at,
    approvals.decided_at,
    approvals.is_decided,
    approvals.is_rejected,
    case
        when not approvals.is_decided then 'open' when approvals.is_rejected then 'rejected' else 'confirmed'
    end as status_code,
    approvals.step_count,
    cast(
        round(date_diff('minute', approvals.started_at, approvals.decided_at) / 60.0, 2) as decimal(12, 2)
    ) as cycle_hours,
    approvals.company_code,
    approvals.company_key,
    approvals.source_system,
    approvals.source_stream,
    approvals.source_record
from approvals
