-- Pairs of records that a system of 华辰 itself says are one: an account names its customer in the ERP, a
-- directory the employee number, an item the number it has or had elsewhere. One row per statement.
with

    accounts as (select * from {{ ref("stg_hc_salesforce__accounts") }}),
    sap_partners as (select * from {{ ref("stg_hc_sap__business_partners") }}),
    employees as (select * from {{ ref("stg_hc_hr__employees") }}),
    dingtalk_users as (select * from {{ ref("stg_hc_dingtalk__users") }}),
    feishu_users as (select * from {{ ref("stg_hc_feishu__users") }}),
    departments as (select * from {{ ref("stg_hc_hr__departments") }}),
    feishu_departments as (select * from {{ ref("stg_hc_feishu__departments") }}),
    kingdee_materials as (select * from {{ ref("stg_hc_kingdee__materials") }}),
    u8_items as (select * from {{ ref("stg_hc_u8__inventories") }}),
    sap_products as (select * from {{ ref("stg_hc_sap__products") }}),
    shop_skus as (select * from {{ ref("stg_hc_shop__skus") }}),
    products_named as (select * from {{ ref("int_products__named") }}),

    -- numbers that a system says its product has or had in another's numbering; people who type a
    -- number by hand type the company's own
    other_numbers as (

        select 'hc_kingdee' as source_system, source_product, old_code as other_number
        from kingdee_materials
        union all
        select 'hc_u8', source_product, old_code
        from u8_items
        union all
        select 'hc_sap', source_product, old_code
        from sap_products
        union all
        select 'hc_shop', source_product, style_code
        from shop_skus
        union all
        select distinct source_system, source_product, source_product
        from products_named
        where source_system in ('hc_crm', 'hc_h3yun', 'hc_jira', 'hc_feishu')

    ),

    numbers as (

        select source_system, source_product, other_number as number
        from other_numbers
        where other_number is not null
        union
        select source_system, source_product, source_product
        from products_named

    ),

    -- a number found in two systems means one thing only if each uses it once, and once may be chance
    numbered_alike as (

        select
            ours.source_system as our_system,
            ours.source_product as our_key,
            theirs.source_system as their_system,
            theirs.source_product as their_key
        from other_numbers as ours
        inner join
            numbers as theirs
            on ours.other_number = theirs.number
            and ours.source_system <> theirs.source_system
        qualify
            count(*) over (partition by ours.source_system, theirs.source_system, theirs.number) = 1
            and count(*) over (partition by ours.source_system, theirs.source_system) > 1

    )

select
    'customer' as entity,
    'hc_salesforce' as our_system,
    accounts.source_customer as our_key,
    'hc_sap' as their_system,
    sap_partners.source_customer as their_key
from accounts
inner join sap_partners on accounts.stated_erp_customer = sap_partners.source_customer
union all
select 'employee', 'hc_dingtalk', dingtalk_users.source_employee, 'hc_hr', employees.source_employee
from dingtalk_users
inner join employees on dingtalk_users.employee_no = employees.source_employee
union all
select 'employee', 'hc_feishu', feishu_users.source_employee, 'hc_hr', employees.source_employee
from feishu_users
inner join employees on feishu_users.employee_no = employees.source_employee
union all
select distinct
    'department', 'hc_feishu', feishu_departments.source_department, 'hc_hr', departments.source_department
from feishu_departments
inner join departments on feishu_departments.department_code = departments.source_department
union all
select 'product', our_system, our_key, their_system, their_key
from numbered_alike
