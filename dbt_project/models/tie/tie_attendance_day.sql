-- Hours present by the clock at the door beside hours written down, per person and day. Presence is the
-- time from the first passing to the last one; when somebody took a break is not recorded.
with

    present as (select * from {{ ref("fct_attendance_day") }} where company_code = 'HX'),
    timesheet_lines as (select * from {{ ref("fct_timesheet_line") }}),

    worked as (

        select
            employee_key,
            work_date,
            sum(worked_hours) as worked_hours,
            any_value(source_system) as source_system,
            any_value(source_stream) as source_stream,
            min(source_record) as source_record
        from timesheet_lines
        group by employee_key, work_date

    )

select
    coalesce(present.employee_key, worked.employee_key) as employee_key,
    coalesce(present.work_date, worked.work_date) as work_date,
    cast(date_trunc('month', coalesce(present.work_date, worked.work_date)) as date) as month_start_date,
    present.present_hours,
    worked.worked_hours,
    'HX' as company_code,
    coalesce(present.source_system, worked.source_system) as source_system,
    coalesce(present.source_stream, worked.source_stream) as source_stream,
    coalesce(present.source_record, worked.source_record) as source_record
from present
full outer join worked on present.employee_key = worked.employee_key and present.work_date = worked.work_date
