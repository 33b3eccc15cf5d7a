with

    timesheet_lines as (select * from {{ ref("stg_hx_people__timesheet_lines") }}),
    employees as ({{ known_to("hx_people", "employee") }})

select
    {{ key(["'timesheet_line'", "timesheet_lines.timesheet_line_id"]) }} as timesheet_line_key,
    coalesce(employees.employee_key, 'unmatched') as employee_key,
    timesheet_lines.work_name,
    timesheet_lines.work_date,
    timesheet_lines.worked_hours,
    {{ of_company("HX") }},
    {{ provenance("hx_people", "timesheet", "timesheet_lines.timesheet_line_id") }}
from timesheet_lines
left join employees on timesheet_lines.employee_no = employees.known_as
