-- Everybody HR paid at the end of a month, with gross pay and the department the person was in on that day:
-- the
-- last post that had begun. The payroll's own spelling of the department is not used.
with

    payrolls as (select * from {{ ref("stg_hc_hr__payrolls") }}),
    posts as (select * from {{ ref("stg_hc_hr__posts") }}),
    employees as ({{ known_to("hc_hr", "employee") }})

select
    {{ key(["'headcount_month'", "'hc_hr'", "payrolls.source_employee", "payrolls.month_end_date"]) }}
    as headcount_month_key,
    coalesce(employees.employee_key, 'unmatched') as employee_key,
    case
        when posts.source_department is null
        then 'unmatched'
        else {{ key(["'organisation'", "'HC-' || posts.source_department"]) }}
    end as organisation_key,
    payrolls.month_end_date,
    payrolls.currency_code,
    cast(payrolls.gross_pay_amount_txn as decimal(18, 2)) as gross_pay_amount_txn,
    case
        when payrolls.currency_code = '{{ var("reporting_currency") }}'
        then cast(payrolls.gross_pay_amount_txn as decimal(18, 2))
    end as gross_pay_amount_cny,
    {{ of_company("HC") }},
    'hc_hr' as source_system,
    'payroll' as source_stream,
    payrolls.month_end_date || '|' || payrolls.source_employee as source_record
from payrolls
asof left join
    posts on payrolls.source_employee = posts.source_employee and payrolls.month_end_date >= posts.valid_from
left join employees on payrolls.source_employee = employees.known_as
