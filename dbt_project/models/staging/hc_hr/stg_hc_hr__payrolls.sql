with source as (select * from {{ source("hc_hr", "payroll") }})

select
    employee_no as source_employee,
    employee_name,
    department_name,
    month_end as month_end_date,
    'CNY' as currency_code,
    cast(gross_pay as decimal(18, 4)) as gross_pay_amount_txn
from source
where not _is_deleted
