-- Which person a document names, and by which number another system's document names the same person in
-- the same part: who sells an order, who answers a ticket. (Who owns an opportunity is not who sells
-- the order that comes of it: the same person in 62 of 208, 2026-11-22.) One row per document and
-- person; a document without such a number still tells that the system knows the person, and some tell
-- the name.
with

    crm_customers as (select * from {{ ref("stg_hc_crm__customers") }}),
    crm_opportunities as (select * from {{ ref("stg_hc_crm__opportunities") }}),
    crm_requests as (select * from {{ ref("stg_hc_crm__purchase_requests") }}),
    kingdee_orders as (select * from {{ ref("stg_hc_kingdee__sales_order_lines") }}),
    discounts as (select * from {{ ref("stg_hc_feishu__discount_approvals") }}),
    discount_steps as (select * from {{ ref("stg_hc_feishu__discount_approval_tasks") }}),
    payments as (select * from {{ ref("stg_hc_feishu__payment_approvals") }}),
    payment_steps as (select * from {{ ref("stg_hc_feishu__payment_approval_tasks") }}),
    spare_parts as (select * from {{ ref("stg_hc_feishu__spare_parts") }}),
    feishu_users as (select * from {{ ref("stg_hc_feishu__users") }}),
    leaves as (select * from {{ ref("stg_hc_dingtalk_flow__leaves") }}),
    leave_steps as (select * from {{ ref("stg_hc_dingtalk_flow__leave_tasks") }}),
    claims as (select * from {{ ref("stg_hc_wecom__expense_claims") }}),
    claim_steps as (select * from {{ ref("stg_hc_wecom__expense_claim_steps") }}),
    tickets as (select * from {{ ref("stg_hc_jira__issues") }}),
    ticket_changes as (select * from {{ ref("stg_hc_jira__changelogs") }}),
    work_orders as (select * from {{ ref("stg_hc_mes__work_orders") }}),
    machine_checks as (select * from {{ ref("stg_hc_mingdao__machine_checks") }}),
    quality_checks as (select * from {{ ref("stg_hc_h3yun__quality_checks") }}),
    u8_orders as (select * from {{ ref("stg_hc_u8__purchase_orders") }}),
    accounts as (select * from {{ ref("stg_hc_salesforce__accounts") }}),
    salesforce_opportunities as (select * from {{ ref("stg_hc_salesforce__opportunities") }}),

    named as (

        select
            'hc_crm' as source_system,
            source_owner as source_employee,
            opportunity_no as document_no,
            cast(null as text) as shared_number,
            cast(null as text) as employee_name
        from crm_opportunities
        union all
        select 'hc_crm', source_creator, source_customer, null, null
        from crm_customers
        union all
        select 'hc_crm', source_applicant, request_no, null, null
        from crm_requests
        union all
        select distinct 'hc_kingdee', source_salesperson, order_no, 'order:' || order_no, null
        from kingdee_orders
        union all
        select 'hc_feishu', source_applicant, instance_id, 'order:' || source_document, null
        from discounts
        union all
        select 'hc_feishu', source_applicant, instance_id, null, null
        from payments
        union all
        select 'hc_feishu', source_approver, instance_id, null, null
        from discount_steps
        union all
        select 'hc_feishu', source_approver, instance_id, null, null
        from payment_steps
        union all
        -- the table names a member otherwise than approvals do; one who left is in no list any more
        select
            'hc_feishu',
            coalesce(feishu_users.source_employee, spare_parts.source_owner_open_id),
            spare_parts.record_id,
            'ticket:' || spare_parts.ticket_no,
            null
        from spare_parts
        left join feishu_users on spare_parts.source_owner_open_id = feishu_users.open_id
        union all
        select 'hc_dingtalk', source_applicant, instance_id, null, null
        from leaves
        union all
        select 'hc_dingtalk', source_approver, instance_id, null, null
        from leave_steps
        union all
        select 'hc_wecom', source_applicant, approval_no, null, null
        from claims
        union all
        select 'hc_wecom', source_approver, approval_no, null, null
        from claim_steps
        union all
        select 'hc_jira', source_assignee, ticket_no, 'ticket:' || ticket_no, assignee_name
        from tickets
        union all
        select 'hc_jira', source_author, issue_id, null, null
        from ticket_changes
        union all
        select 'hc_mes', source_operator, work_order_no, null, null
        from work_orders
        union all
        select 'hc_mingdao', source_checker, check_no, null, checker_name
        from machine_checks
        union all
        select 'hc_h3yun', source_creator, check_no, null, null
        from quality_checks
        union all
        select 'hc_u8', source_buyer, order_no, null, maker_name
        from u8_orders
        union all
        select 'hc_salesforce', source_owner, source_customer, null, null
        from accounts
        union all
        select 'hc_salesforce', source_owner, opportunity_no, null, null
        from salesforce_opportunities

    )

select source_system, source_employee, document_no, shared_number, employee_name
from named
where source_employee is not null
