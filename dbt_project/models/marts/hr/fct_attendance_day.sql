{{ every_company("attendance_days") }}
