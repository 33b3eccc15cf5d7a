-- What the systems of 华辰 leave open beside what every company can: people in two departments, departments
-- that
-- moved within a month, products whose unit or meaning changed under one code.
with

    hr_departments as (select * from {{ ref("stg_hc_hr__departments") }}),
    u8_versions as (select * from {{ history("hc_u8", "inventory") }}),

    people as (

        {% for system in ["hc_dingtalk", "hc_feishu"] %}
            select '{{ system }}' as source_system, source_employee, source_departments
            from {{ ref("stg_" ~ system ~ "__users") }}
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    )

select
    'person_in_two_departments' as case_kind,
    source_system || ':' || source_employee as subject,
    'hr' as owner,
    'the first department is the main one' as safe_default,
    array_to_string(source_departments, ', ') as detail,
    1 as row_count,
    source_system,
    'user' as source_stream,
    source_employee as source_record
from people
where len(source_departments) > 1
union all by name
select
    'organisation_moved_within_a_month' as case_kind,
    source_department || ' ' || department_name as subject,
    'hr' as owner,
    'every document keeps the place its department had on its day' as safe_default,
    'under ' || coalesce(source_parent_department, 'nobody') || ' from ' || valid_from as detail,
    1 as row_count,
    'hc_hr' as source_system,
    'department' as source_stream,
    source_department || '|' || valid_from as source_record
from hr_departments
where
    day(valid_from) > 1
    and exists (
        select 1
        from hr_departments as before
        where
            before.source_department = hr_departments.source_department
            and before.valid_from < hr_departments.valid_from
    )
union all by name
select
    'unit_of_a_product_changed' as case_kind,
    item_code as subject,
    'inventory' as owner,
    'every quantity is read in the unit of the card as it is now' as safe_default,
    string_agg(distinct unit_name, ', ' order by unit_name) as detail,
    1 as row_count,
    'hc_u8' as source_system,
    'inventory' as source_stream,
    item_code as source_record
from u8_versions
group by item_code
having count(distinct unit_name) > 1
union all by name
select
    'code_reused_for_another_thing' as case_kind,
    item_code as subject,
    'inventory' as owner,
    'the key stays with the code; part them with tieout master different' as safe_default,
    string_agg(distinct item_name, ', ' order by item_name) as detail,
    1 as row_count,
    'hc_u8' as source_system,
    'inventory' as source_stream,
    item_code as source_record
from u8_versions
group by item_code
-- another spelling of one name is near it, another thing is not
having jaro_winkler_similarity(arg_min(item_name, _loaded_at), arg_max(item_name, _loaded_at)) < 0.6
{% for contradictions, cause_subject in [
        ("int_order_contradictions__huachen", "cause_subject"),
        ("int_finance_contradictions__huachen", "cause_subject"),
        ("int_stock_contradictions__huachen", "null"),
        ("int_shop_contradictions__huachen", "cause_subject"),
    ] %}
    union all by name
    select
        case_kind,
        subject,
        coalesce({{ cause_subject }}, subject) as cause_subject,
        owner,
        safe_default,
        detail,
        1 as row_count,
        amount_txn,
        currency_code,
        source_system,
        source_stream,
        source_record
    from {{ ref(contradictions) }}
{% endfor %}
