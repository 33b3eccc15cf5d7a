{#
    An amount in the reporting currency, in cents. `rate` is units of the document's currency per one unit of
    the reporting currency, hence the division; DuckDB divides decimals as doubles, which keeps 15 digits.
#}
{% macro in_reporting_currency(amount, rate) -%}
    cast(round({{ amount }} / {{ rate }}, 2) as decimal(18, 2))
{%- endmacro %}

{#
    A document is converted (or taxed) once and its lines must add up to it: each line gets its own rounded
    amount and the last line of the document the rest.
#}
{% macro share_of_document(line_amount, document_amount, document, line_order) -%}
    cast(
        case
            when lead(1) over (partition by {{ document }} order by {{ line_order }}) is null
            then
                {{ document_amount }} - coalesce(
                    sum({{ line_amount }}) over (
                        partition by {{ document }}
                        order by {{ line_order }}
                        rows between unbounded preceding and 1 preceding
                    ),
                    0
                )
            else {{ line_amount }}
        end as decimal(18, 2)
    )
{%- endmacro %}

{# The rate of an `asof` join; the reporting currency itself needs none, not even a date. #}
{% macro rate_of(rates, currency_code) -%}
    coalesce({{ rates }}.rate, case when {{ currency_code }} = '{{ var("reporting_currency") }}' then 1 end)
{%- endmacro %}

{#
    Cents, a half cent to the even one. That is how the ERP rounds tax on its documents: rounded half up, seven
    of its 149 priced orders were a cent off what it prints (2026-11-22).
    Exact on decimals; DuckDB's round_even() goes through doubles and turns 1.005 into 1.01.
#}
{% macro round_half_even(amount) -%}
    case
        when abs({{ amount }} * 100 - trunc({{ amount }} * 100)) = 0.5
        then round({{ amount }} * 50, 0) * 0.02
        else round({{ amount }}, 2)
    end
{%- endmacro %}

{# What one unit of a currency is worth in the reporting currency, which itself is worth one on any day. #}
{% macro cny_per_unit(rates, currency_code) -%}
    coalesce(
        {{ rates }}.cny_per_unit, case when {{ currency_code }} = '{{ var("reporting_currency") }}' then 1 end
    )
{%- endmacro %}

{# An amount at a price of its currency, in cents; null where no price is known: nothing is guessed. #}
{% macro at_price(amount, price) -%}
    cast(
        round(cast({{ amount }} as decimal(20, 6)) * cast({{ price }} as decimal(18, 8)), 2) as decimal(18, 2)
    )
{%- endmacro %}

{#
    Rows with the price of their currency on one of their days: the last one known then. `rates` is a model with
    `currency_code`, `rate_date` and `cny_per_unit`.
#}
{% macro priced_on(rows, day, rates="int_exchange_rates__huachen") -%}
    select dated.*, {{ cny_per_unit("rates", "dated.currency_code") }} as cny_per_unit
    from {{ rows }} as dated
    asof left join
        {{ ref(rates) }} as rates
        on dated.currency_code = rates.currency_code
        and dated.{{ day }} >= rates.rate_date
{%- endmacro %}
