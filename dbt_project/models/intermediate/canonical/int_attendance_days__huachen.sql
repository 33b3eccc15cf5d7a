-- One row per person and working day: first and last passing. A missing passing is a missing time, and no
-- hours
-- are made up for it.
with

    attendances as (select * from {{ ref("stg_hc_dingtalk__attendances") }}),
    employees as ({{ known_to("hc_dingtalk", "employee") }}),

    days as (

        select
            source_employee,
            work_date,
            min(checked_at) filter (where source_check_type = 'OnDuty') as came_at,
            max(checked_at) filter (where source_check_type = 'OffDuty') as left_at,
            bool_or(source_check_type = 'OnDuty' and source_time_result = 'Late') as is_late,
            bool_or(source_time_result = 'NotSigned') as is_incomplete,
            min(source_employee || '|' || source_check_type || '|' || planned_at) as source_record
        from attendances
        group by source_employee, work_date

    )

select
    {{ key(["'attendance_day'", "'hc_dingtalk'", "days.source_employee", "days.work_date"]) }}
    as attendance_day_key,
    coalesce(employees.employee_key, 'unmatched') as employee_key,
    days.work_date,
    days.came_at,
    days.left_at,
    coalesce(days.is_late, false) as is_late,
    days.came_at is null or days.left_at is null as is_incomplete,
    cast(round(date_diff('minute', days.came_at, days.left_at) / 60.0, 2) as decimal(9, 2)) as present_hours,
    {{ of_company("HC") }},
    'hc_dingtalk' as source_system,
    'attendance' as source_stream,
    days.source_record
from days
left join employees on days.source_employee = employees.known_as
