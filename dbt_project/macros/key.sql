{#
    Surrogate key from the parts that name one thing: key(["'customer'", "customer_code"]).
    A missing part makes the key null, so that a lookup by it finds nothing and says `unmatched`.
#}
{% macro key(parts) -%}
    md5(
        {% for part in parts %}
            cast({{ part }} as text){% if not loop.last %} || '|' || {% endif %}
        {% endfor %}
    )
{%- endmacro %}

{# The number in a reference as the ERP prints it: reference_id('sale.line', 'origin') is 123 for 'sale.line,123'. #}
{% macro reference_id(document, reference) -%}
    case
        when split_part({{ reference }}, ',', 1) = '{{ document }}'
        then try_cast(split_part({{ reference }}, ',', 2) as bigint)
    end
{%- endmacro %}
