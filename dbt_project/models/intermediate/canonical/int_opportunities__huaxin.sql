with

    opportunities as (select * from {{ ref("stg_hx_sales__opportunities") }}),
    source_customers as (select * from {{ ref("stg_hx_sales__customers") }}),
    currencies as (select * from {{ ref("stg_hx_sales__currencies") }}),
    source_employees as (select * from {{ ref("stg_hx_people__employees") }}),
    customers as ({{ known_to("hx_sales", "customer") }}),
    employees as ({{ known_to("hx_people", "employee") }}),
    statuses as (select * from {{ ref("document_statuses") }} where document_type = 'opportunity'),
    rates as (select * from {{ ref("int_exchange_rates") }}),
    last_day as (select * from {{ ref("int_operations__last_day") }}),

    named as (

        select opportunities.*, currencies.currency_code, source_customers.customer_code
        from opportunities
        left join currencies on opportunities.currency_id = currencies.currency_id
        left join source_customers on opportunities.customer_id = source_customers.customer_id

    ),

    rated as (

        select named.*, {{ rate_of("rates", "named.currency_code") }} as rate
        from named
        asof left join
            rates on named.currency_code = rates.currency_code and named.opened_date >= rates.rate_date

    )

select
    {{ key(["'opportunity'", "rated.opportunity_id"]) }} as opportunity_key,
    rated.opportunity_no,
    cast(rated.opportunity_id as text) as opportunity_id,
    rated.opportunity_name,
    coalesce(customers.customer_key, 'unmatched') as customer_key,
    coalesce(employees.employee_key, 'unmatched') as employee_key,
    rated.opened_date,
    rated.closed_date,
    coalesce(
        date_diff('day', last_day.last_operational_date, rated.closed_date)
        > {{ var("outside_operations_after_days") }},
        false
    ) as is_closed_outside_operations,
    coalesce(statuses.status_code, 'unmatched') as status_code,
    coalesce(statuses.status_code = 'converted', false) as is_converted,
    coalesce(statuses.status_code in ('lead', 'opportunity'), false) as is_open,
    rated.currency_code,
    rated.opportunity_amount_txn,
    {{ in_reporting_currency("rated.opportunity_amount_txn", "rated.rate") }} as opportunity_amount_cny,
    rated.conversion_probability,
    {{ of_company("HX") }},
    {{ provenance("hx_sales", "sale_opportunity", "rated.opportunity_id") }}
from rated
cross join last_day
left join statuses on rated.source_status = statuses.source_status
left join customers on rated.customer_code = customers.known_as
left join source_employees on rated.employee_record_id = source_employees.employee_record_id
left join employees on source_employees.employee_no = employees.known_as
