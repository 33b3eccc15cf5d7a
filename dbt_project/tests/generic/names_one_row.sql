{# A key is never missing and never used twice: one scan instead of dbt's `unique` and `not_null`. #}
{% test names_one_row(model, column_name) %}

    select {{ column_name }} as key_value, count(*) as row_count
    from {{ model }}
    group by {{ column_name }}
    having count(*) > 1 or {{ column_name }} is null

{% endtest %}
