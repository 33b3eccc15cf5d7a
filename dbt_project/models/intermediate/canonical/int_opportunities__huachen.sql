-- Chances of the parent (CRM) and of the subsidiary (Salesforce). What the subsidiary expects includes tax;
-- an
-- opportunity has no tax basis.
with

    crm_opportunities as (select * from {{ ref("stg_hc_crm__opportunities") }}),
    salesforce_opportunities as (select * from {{ ref("stg_hc_salesforce__opportunities") }}),
    statuses as (select * from {{ ref("source_statuses") }} where document_type = 'opportunity'),
    customers as ({{ known_to_all("customer") }}),
    employees as ({{ known_to_all("employee") }}),
    organisations as (select * from {{ ref("dim_organisation") }} where organisation_kind = 'company'),

    unioned as (

        select
            'HC' as company_code,
            'hc_crm' as source_system,
            'opportunity' as source_stream,
            opportunity_id,
            opportunity_no,
            cast(null as text) as opportunity_name,
            source_customer,
            source_owner,
            order_no,
            source_stage,
            currency_code,
            cast(null as double) as conversion_probability,
            opportunity_amount_net_txn as opportunity_amount_txn,
            cast(timezone('Asia/Shanghai', created_at) as date) as opened_date,
            cast(timezone('Asia/Shanghai', changed_at) as date) as changed_date
        from crm_opportunities
        union all by name
        select
            'HCE' as company_code,
            'hc_salesforce' as source_system,
            'opportunity' as source_stream,
            opportunity_id,
            opportunity_no,
            opportunity_name,
            source_customer,
            source_owner,
            order_no,
            source_stage,
            currency_code,
            conversion_probability,
            opportunity_amount_gross_txn as opportunity_amount_txn,
            cast(timezone('Asia/Shanghai', created_at) as date) as opened_date,
            cast(timezone('Asia/Shanghai', changed_at) as date) as changed_date
        from salesforce_opportunities

    ),

    rated as ({{ priced_on("unioned", "opened_date") }})

select
    {{ key(["'opportunity'", "rated.source_system", "rated.opportunity_id"]) }} as opportunity_key,
    rated.opportunity_no,
    rated.opportunity_id,
    rated.opportunity_name,
    rated.order_no,
    coalesce(customers.customer_key, 'unmatched') as customer_key,
    coalesce(employees.employee_key, 'unmatched') as employee_key,
    rated.opened_date,
    case when statuses.status_code in ('converted', 'lost') then rated.changed_date end as closed_date,
    false as is_closed_outside_operations,
    coalesce(statuses.status_code, 'unmatched') as status_code,
    coalesce(statuses.status_code = 'converted', false) as is_converted,
    coalesce(statuses.status_code in ('lead', 'opportunity'), false) as is_open,
    rated.currency_code,
    cast(rated.opportunity_amount_txn as decimal(18, 2)) as opportunity_amount_txn,
    {{ at_price("rated.opportunity_amount_txn", "rated.cny_per_unit") }} as opportunity_amount_cny,
    rated.conversion_probability,
    rated.company_code,
    coalesce(organisations.organisation_key, 'unmatched') as company_key,
    rated.source_system,
    rated.source_stream,
    rated.opportunity_id as source_record
from rated
left join organisations on rated.company_code = organisations.organisation_code
left join
    statuses on rated.source_system = statuses.source_system and rated.source_stage = statuses.source_status
left join
    customers on rated.source_system = customers.source_system and rated.source_customer = customers.known_as
left join
    employees on rated.source_system = employees.source_system and rated.source_owner = employees.known_as
