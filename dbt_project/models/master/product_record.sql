-- Materials and products as each system of each company has them, not yet matched.
with

    records as ({{ every_company("product_records") }}),
    said_same as (select * from {{ ref("int_records__said_same") }} where entity = 'product')

    {{ recorded("code old_code name specification uom_text kind") }}
