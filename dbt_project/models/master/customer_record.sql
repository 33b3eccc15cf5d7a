-- Customers as each system of each company has them, not yet matched.
with

    records as ({{ every_company("customer_records") }}),
    said_same as (select * from {{ ref("int_records__said_same") }} where entity = 'customer')

    {{ recorded("code name short_name credit_code country_code city address phone contact") }}
