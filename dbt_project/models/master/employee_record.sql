-- People as each system of each company has them, not yet matched.
with

    records as ({{ every_company("employee_records") }}),
    said_same as (select * from {{ ref("int_records__said_same") }} where entity = 'employee')

    {{ recorded("employee_no name mobile email hired_on") }}
