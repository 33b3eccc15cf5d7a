-- Suppliers as each system of each company has them, not yet matched.
with

    records as ({{ every_company("supplier_records") }}),
    said_same as (select * from {{ ref("int_records__said_same") }} where entity = 'supplier')

    {{ recorded("code name short_name credit_code country_code city address phone contact") }}
