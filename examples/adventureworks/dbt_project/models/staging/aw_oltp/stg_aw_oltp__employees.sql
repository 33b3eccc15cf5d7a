-- Names of persons do not come with the sample: the login is what there is.
select
    cast(employee_id as text) as source_employee,
    split_part(login, chr(92), 2) as employee_name,
    hired_on as hired_date,
    is_current as is_active
from {{ source("aw_oltp", "employee") }}
where not _is_deleted
