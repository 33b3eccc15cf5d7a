-- Why the amounts of two neighbouring steps differ in a month: one row per slice and effect, signed so that
-- first step + effects = second step.
with

    slices as (select * from {{ ref("tie_flow_slice") }}),

    effects as (

        -- both done, in different months: leaves the one and enters the other, the same amount
        select
            'timing' as effect,
            - first_amount_cny as amount_cny,
            first_date as effect_date,
            'first' as step,
            slices.*
        from slices
        where
            first_is_final
            and second_is_final
            and date_trunc('month', first_date) <> date_trunc('month', second_date)
        union all
        select
            'timing' as effect,
            first_amount_cny as amount_cny,
            second_date as effect_date,
            'second' as step,
            slices.*
        from slices
        where
            first_is_final
            and second_is_final
            and date_trunc('month', first_date) <> date_trunc('month', second_date)
        union all
        -- both done: the same price in CNY at two rates, or rounded twice
        select
            case when is_foreign_currency then 'currency' else 'rounding' end as effect,
            second_amount_cny - first_amount_cny as amount_cny,
            second_date as effect_date,
            'second' as step,
            slices.*
        from slices
        where first_is_final and second_is_final and is_same_price and second_amount_cny <> first_amount_cny
        union all
        -- the first step is done, the second only planned or drafted
        select
            'open' as effect,
            - first_amount_cny as amount_cny,
            first_date as effect_date,
            'first' as step,
            slices.*
        from slices
        where first_is_final and not second_is_final
        union all
        -- the second step came before the first
        select
            'ahead' as effect,
            second_amount_cny as amount_cny,
            second_date as effect_date,
            'second' as step,
            slices.*
        from slices
        where second_is_final and not first_is_final

    )

select
    flow,
    stage,
    effect,
    cast(date_trunc('month', effect_date) as date) as month_start_date,
    amount_cny,
    line_key,
    order_no,
    company_code,
    effect_date,
    case when step = 'first' then first_source_system else second_source_system end as source_system,
    case when step = 'first' then first_source_stream else second_source_stream end as source_stream,
    case when step = 'first' then first_source_record else second_source_record end as source_record
from effects
