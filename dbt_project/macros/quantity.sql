{#
    A quantity in the product's base unit. Null where the two units measure different things (an hour is not
    a piece): such a line has no quantity in the base unit, and a guess would hide that.
#}
{% macro in_base_unit(quantity, uoms="uoms", products="products") -%}
    case
        when {{ uoms }}.base_uom_code = {{ products }}.reference_uom_code
        then
            cast(
                round({{ quantity }} * {{ uoms }}.factor / {{ products }}.base_uom_factor, 4) as decimal(
                    18, 4
                )
            )
    end
{%- endmacro %}

{# Every unit once, by its code: several texts of sources may mean one unit. #}
{% macro units() -%} select distinct uom_code, base_uom_code, factor from {{ ref("uoms") }} {%- endmacro %}

{# A quantity in another unit; null where the two measure different things. Both are rows of `units()`. #}
{% macro converted(quantity, from_unit, to_unit) -%}
    case
        when {{ from_unit }}.base_uom_code = {{ to_unit }}.base_uom_code
        then cast(round({{ quantity }} * {{ from_unit }}.factor / {{ to_unit }}.factor, 4) as decimal(18, 4))
    end
{%- endmacro %}
