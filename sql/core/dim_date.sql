/*
description: >-
  Calendar from the first fact to a year after the business date: ISO weeks, and the retail year of
  4-4-5 weeks that begins on the Monday nearest to 1 February.
grain: one row per date
key: [date_on]
owner: data-engineering
columns:
  date_on: The date
  weekday_no: 1 Monday to 7 Sunday
  weekday_name: Monday to Sunday
  is_weekend: Saturday or Sunday
  week_starts_on: Monday of its week
  iso_year: Year of its ISO week
  iso_week: ISO week, 1 to 53
  month_starts_on: First day of its month
  quarter_no: Calendar quarter, 1 to 4
  calendar_year: Calendar year
  fiscal_year: Retail year, named after the calendar year in which it begins
  retail_week: Week of the retail year, 1 to 53
  retail_period: Period of 4, 4 or 5 weeks, 1 to 12; week 53 belongs to period 12
  retail_quarter: Quarter of the retail year, 1 to 4; week 53 belongs to quarter 4
  fiscal_day_no: Day of the retail year, 1 to 371
  same_weekday_last_year_on: The date 52 weeks before, to compare trading with
  same_fiscal_day_last_year_on: >-
    The same weekday of the same week of the retail year before, to compare years with; differs from
    the date 52 weeks before after a year of 53 weeks; null in a week 53 that the year before lacks
  is_business_date: Whether it is the night's business date
checks:
  - {expect: between, column: retail_week, min: 1, max: 53}
  - {expect: between, column: retail_period, min: 1, max: 12}
  - {expect: between, column: retail_quarter, min: 1, max: 4}
*/
with fct_sales as (
    select * from core.fct_sales
),

fct_orders as (
    select * from core.fct_orders
),

fct_web_events as (
    select * from core.fct_web_events
),

first_days as (
    select min(sold_on) as first_on from fct_sales
    union all
    select min(ordered_on) as first_on from fct_orders
    union all
    select min(occurred_on) as first_on from fct_web_events
),

-- A till with a broken clock must not make a calendar of a hundred years.
span as (
    select
        greatest(
            least(coalesce(min(first_on), {{ business_date }}), {{ business_date }}),
            {{ business_date }} - 3660
        ) as first_on
    from first_days
),

days as (
    select
        first_on + cast(unnest(range({{ business_date }} + 366 - first_on)) as integer) as date_on
    from span
),

retail_years as (
    select
        date_on,
        cast(year(date_on) as integer)
        - cast(date_on < retail_year_start(cast(year(date_on) as integer)) as integer)
            as fiscal_year
    from days
),

retail_weeks as (
    select
        date_on,
        fiscal_year,
        cast(1 + (date_on - retail_year_start(fiscal_year)) // 7 as integer) as retail_week,
        cast(1 + (date_on - retail_year_start(fiscal_year)) as integer) as fiscal_day_no,
        retail_year_start(fiscal_year) as fiscal_year_starts_on,
        retail_year_start(fiscal_year - 1) as last_year_starts_on
    from retail_years
),

final as (
    select
        date_on,
        cast(isodow(date_on) as integer) as weekday_no,
        dayname(date_on) as weekday_name,
        isodow(date_on) >= 6 as is_weekend,
        cast(date_trunc('week', date_on) as date) as week_starts_on,
        cast(isoyear(date_on) as integer) as iso_year,
        cast(week(date_on) as integer) as iso_week,
        cast(date_trunc('month', date_on) as date) as month_starts_on,
        cast(quarter(date_on) as integer) as quarter_no,
        cast(year(date_on) as integer) as calendar_year,
        fiscal_year,
        retail_week,
        -- Each quarter of 13 weeks has periods of 4, 4 and 5 weeks.
        cast(
            3 * ((least(retail_week, 52) - 1) // 13)
            + case
                when (least(retail_week, 52) - 1) % 13 < 4 then 1
                when (least(retail_week, 52) - 1) % 13 < 8 then 2
                else 3
            end as integer
        ) as retail_period,
        cast((least(retail_week, 52) - 1) // 13 + 1 as integer) as retail_quarter,
        fiscal_day_no,
        date_on - 364 as same_weekday_last_year_on,
        case
            when last_year_starts_on + fiscal_day_no - 1 < fiscal_year_starts_on
                then last_year_starts_on + fiscal_day_no - 1
        end as same_fiscal_day_last_year_on,
        date_on = {{ business_date }} as is_business_date
    from retail_weeks
)

select * from final
