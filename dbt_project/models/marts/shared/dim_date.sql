-- One row per calendar day between the two days in dbt_project.yml. Whether people work is what the State
-- Council published for the year (seeds/standards/chinese_holidays); a year it says nothing of is left open.
{% set fiscal_first_month = var("fiscal_year_first_month", 1) | int %}
with

    holidays as (select * from {{ ref("chinese_holidays") }}),
    published_years as (select distinct year(calendar_date) as year_number from holidays),

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

    ),

    -- the fiscal year has the number of the calendar year that it begins in
    described as (

        select
            days.date_day,
            holidays.holiday_name_zh as holiday_name,
            holidays.holiday_name_en,
            published_years.year_number is not null as is_published,
            coalesce(not holidays.is_workday, false) as is_holiday,
            coalesce(holidays.is_workday, false) as is_make_up_workday,
            coalesce(holidays.is_workday, isodow(days.date_day) <= 5) as is_workday,
            cast(days.date_day - interval ({{ fiscal_first_month }} - 1) month as date) as fiscal_day
        from days
        left join holidays on days.date_day = holidays.calendar_date
        left join published_years on year(days.date_day) = published_years.year_number

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
    case when is_published then is_holiday end as is_holiday,
    case when is_published then is_make_up_workday end as is_make_up_workday,
    case when is_published then is_workday end as is_workday,
    holiday_name,
    holiday_name_en,
    cast(year(fiscal_day) as integer) as fiscal_year_number,
    cast(quarter(fiscal_day) as integer) as fiscal_quarter_number,
    cast(month(fiscal_day) as integer) as fiscal_period_number,
    strftime(fiscal_day, '%Y-%m') as fiscal_period,
    'tieout' as source_system,
    'calendar' as source_stream,
    cast(date_day as text) as source_record
from described
