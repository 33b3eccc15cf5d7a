-- Customers that look keyed in twice: the same name once the legal form (有限公司, 公司 ...) and the 市 after the
-- city are left out. A suspicion for a steward, nothing is merged here. Two different credit codes are two
-- companies whatever their names say, so only a customer without a code of its own can be the copy.
with

    customers as (select * from {{ ref("int_customers__described") }}),
    legal_forms as (select * from {{ ref("legal_forms") }}),

    legal_form_pattern as (

        select
            '(' || string_agg(legal_form, '|' order by length(legal_form) desc, legal_form) || ')$' as pattern
        from legal_forms

    ),

    cores as (

        select
            customers.customer_code,
            customers.credit_code,
            regexp_replace(
                regexp_replace(customers.customer_name, legal_form_pattern.pattern, ''), '^(.{2,3})市', '\1'
            ) as name_core
        from customers
        cross join legal_form_pattern

    )

select copies.customer_code, min(originals.customer_code) as suspected_duplicate_of
from cores as copies
inner join
    cores as originals
    on copies.name_core = originals.name_core
    and copies.customer_code <> originals.customer_code
where copies.credit_code is null and originals.credit_code is not null
group by copies.customer_code
