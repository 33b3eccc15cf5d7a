-- Presence is the time from the first passing to the last one; when somebody took a break is not recorded.
with

    passings as (select * from {{ source("hx_people", "attendance") }} where not _is_deleted),
    employees as ({{ known_to("hx_people", "employee") }}),

    days as (

        select
            employee_no,
            cast(passings.date as date) as work_date,
            min(cast(passings.at as timestamp)) as came_at,
            max(cast(passings.at as timestamp)) as left_at,
            count(*) as passing_count,
            cast(min(passings.id) as text) as source_record
        from passings
        group by all

    )

select
    {{ key(["'attendance_day'", "'hx_people'", "days.employee_no", "days.work_date"]) }}
    as attendance_day_key,
    coalesce(employees.employee_key, 'unmatched') as employee_key,
    days.work_date,
    timezone('{{ var("company_timezone") }}', days.came_at) as came_at,
    timezone('{{ var("company_timezone") }}', days.left_at) as left_at,
    false as is_late,
    days.passing_count < 2 as is_incomplete,
    cast(round(date_diff('minute', days.came_at, days.left_at) / 60.0, 2) as decimal(9, 2)) as present_hours,
    {{ of_company("HX") }},
    'hx_people' as source_system,
    'attendance' as source_stream,
    days.source_record
from days
left join employees on days.employee_no = employees.known_as
