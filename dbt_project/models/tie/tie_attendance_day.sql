-- Hours present by the clock at the door beside hours written down, per person and day. Presence is the
-- time from the first passing to the last one; when somebody took a break is not recorded.
with

    passings as (select * from {{ source("hx_people", "attendance") }} where not _is_deleted),
    employees as ({{ known_to("hx_people", "employee") }}),
    timesheet_lines as (select * from {{ ref("fct_timesheet_line") }}),

    present as (

        select
            coalesce(employees.employee_key, 'unmatched') as employee_key,
            cast(passings.date as date) as work_date,
            cast(
                round(
                    date_diff(
                        'minute', min(cast(passings.at as timestamp)), max(cast(passings.at as timestamp))
                    )
                    / 60.0,
                    2
                ) as decimal(9, 2)
            ) as present_hours,
            cast(min(passings.id) as text) as source_record
        from passings
        left join employees on passings.employee_no = employees.known_as
        group by all

    ),

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
    case when present.work_date is not null then 'hx_people' else worked.source_system end as source_system,
    case when present.work_date is not null then 'attendance' else worked.source_stream end as source_stream,
    coalesce(present.source_record, worked.source_record) as source_record
from present
full outer join worked on present.employee_key = worked.employee_key and present.work_date = worked.work_date
