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
