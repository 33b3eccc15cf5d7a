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

{# The company a row belongs to, for systems that serve one company: its standard code and its key in `dim_organisation`. #}
{% macro of_company(code) -%}
    '{{ code }}' as company_code, {{ key(["'organisation'", "'" ~ code ~ "'"]) }} as company_key
{%- endmacro %}

{#
    Rows of one canonical shape from every company that has them: `int_<shape>__<company>`, as `vars: shapes:` in
    dbt_project.yml lists them. A company that lacks a column of the shape has null there.
#}
{% macro every_company(shape) -%}
    {% for company in var("shapes")[shape] -%}
        select *
        from {{ ref("int_" ~ shape ~ "__" ~ company) }}
        {% if not loop.last %}
            union all by name
        {% endif %}
    {%- endfor %}
{%- endmacro %}
