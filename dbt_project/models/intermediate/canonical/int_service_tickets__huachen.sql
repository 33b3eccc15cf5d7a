-- What customers complain about (Jira). Customer, product and delivery are typed by hand.
with

    issues as (select * from {{ ref("stg_hc_jira__issues") }}),
    statuses as (select * from {{ ref("source_statuses") }} where document_type = 'service_ticket'),
    customers as ({{ known_to("hc_jira", "customer") }}),
    known_products as ({{ known_to("hc_jira", "product") }}),
    employees as ({{ known_to("hc_jira", "employee") }})

select
    {{ key(["'service_ticket'", "'hc_jira'", "issues.issue_id"]) }} as service_ticket_key,
    issues.ticket_no,
    issues.issue_type as ticket_kind,
    issues.subject,
    coalesce(customers.customer_key, 'unmatched') as customer_key,
    coalesce(known_products.product_key, 'unmatched') as product_key,
    coalesce(employees.employee_key, 'unmatched') as employee_key,
    issues.shipment_no,
    issues.source_priority as priority_name,
    coalesce(statuses.status_code, 'unmatched') as status_code,
    issues.resolved_at is not null as is_resolved,
    cast(timezone('{{ var("company_timezone") }}', issues.created_at) as date) as open_date,
    cast(timezone('{{ var("company_timezone") }}', issues.resolved_at) as date) as resolve_date,
    issues.created_at,
    issues.resolved_at,
    cast(
        round(date_diff('minute', issues.created_at, issues.resolved_at) / 60.0, 2) as decimal(12, 2)
    ) as open_hours,
    {{ of_company("HC") }},
    {{ provenance("hc_jira", "issue", "issues.issue_id") }}
from issues
left join statuses on statuses.source_system = 'hc_jira' and issues.source_status = statuses.source_status
left join customers on issues.source_customer = customers.known_as
left join known_products on issues.source_product = known_products.known_as
left join employees on issues.source_assignee = employees.known_as
