-- One row per calendar day between the two days in dbt_project.yml.
with

    days as (

        select
            cast(
                unnest(
                    generate_series(
                        cast('{{ var("calendar_first_day") }}' as date),
                        cast('{{ var("calendar_last_day") }}' as date),
                        interval 1 day
                    )
                ) as date
            ) as date_day

    )

select
    date_day,
    cast(year(date_day) as integer) as year_number,
    cast(quarter(date_day) as integer) as quarter_number,
    cast(month(date_day) as integer) as month_number,
    strftime(date_day, '%Y-%m') as year_month,
    cast(date_trunc('year', date_day) as date) as year_start_date,
    cast(date_trunc('quarter', date_day) as date) as quarter_start_date,
    cast(date_trunc('month', date_day) as date) as month_start_date,
    last_day(date_day) as month_end_date,
    cast(date_trunc('week', date_day) as date) as week_start_date,
    cast(weekofyear(date_day) as integer) as iso_week_number,
    cast(isodow(date_day) as integer) as iso_weekday_number,
    isodow(date_day) in (6, 7) as is_weekend,
    'tieout' as source_system,
    'calendar' as source_stream,
    cast(date_day as text) as source_record
from days
