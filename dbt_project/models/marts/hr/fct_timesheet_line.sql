{{ every_company("timesheet_lines") }}
