with source as (select * from {{ source("hx_people", "timesheet") }})

select
    id as timesheet_line_id,
    employee_no,
    work_name,
    cast(date as date) as work_date,
    cast(hours as decimal(9, 2)) as worked_hours
from source
where not _is_deleted
