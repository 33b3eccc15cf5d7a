-- Goods looked at when they come in (氚云) and machines looked at every week (明道云).
with

    receipt_checks as (select * from {{ ref("stg_hc_h3yun__quality_checks") }}),
    machine_checks as (select * from {{ ref("stg_hc_mingdao__machine_checks") }}),
    known_products as ({{ known_to_all("product") }}),
    products as (select * from {{ ref("dim_product") }}),
    employees as ({{ known_to_all("employee") }}),

    unioned as (

        select
            'hc_h3yun' as source_system,
            'quality_check' as source_stream,
            check_id,
            'goods_receipt' as check_kind,
            check_no,
            subject,
            receipt_no,
            source_product,
            source_creator as source_checker,
            source_result as result_name,
            rejection_reason as remark,
            checked_qty,
            rejected_qty,
            checked_at
        from receipt_checks
        union all by name
        select
            'hc_mingdao' as source_system,
            'machine_check' as source_stream,
            check_id,
            'machine' as check_kind,
            check_no,
            machine_name as subject,
            source_checker,
            source_result as result_name,
            remark,
            checked_at
        from machine_checks

    )

select
    {{ key(["'quality_check'", "unioned.source_system", "unioned.check_id"]) }} as quality_check_key,
    unioned.check_kind,
    unioned.check_no,
    unioned.subject,
    unioned.receipt_no,
    case
        when unioned.check_kind = 'machine'
        then 'not_applicable'
        else coalesce(known_products.product_key, 'unmatched')
    end as product_key,
    coalesce(employees.employee_key, 'unmatched') as employee_key,
    unioned.result_name,
    unioned.result_name in ('合格', '正常') as is_passed,
    cast(timezone('{{ var("company_timezone") }}', unioned.checked_at) as date) as check_date,
    unioned.checked_at,
    unioned.checked_qty,
    unioned.rejected_qty,
    case
        when unioned.check_kind = 'goods_receipt' then coalesce(products.base_uom_code, 'unmatched')
    end as base_uom_code,
    unioned.remark,
    {{ of_company("HC") }},
    unioned.source_system,
    unioned.source_stream,
    unioned.check_id as source_record
from unioned
left join
    known_products
    on unioned.source_system = known_products.source_system
    and unioned.source_product = known_products.known_as
left join products on known_products.product_key = products.product_key
left join
    employees
    on unioned.source_system = employees.source_system
    and unioned.source_checker = employees.known_as
