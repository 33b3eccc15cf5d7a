with source as (select * from {{ source("hx_people", "employee") }})

select employee_no, employee_name, id as employee_record_id, phone, cast(hired_on as date) as hired_on
from source
where not _is_deleted
