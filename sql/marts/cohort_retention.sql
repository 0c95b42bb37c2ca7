/*
description: >-
  Of the people who first bought in a month, the share who bought again in each month after. Only
  whole months count; the first month of history is left out, since its people are not all new.
grain: one row per month of first purchase and months after
key: [cohort_on, months_after]
owner: analytics
# every row of a cohort counts the same people
sums: []
columns:
  cohort_on: First day of the month of the first purchase
  months_after: Months since then, from 1
  customer_count: People in the cohort
  repeat_count: Those who bought in that month
  repeat_share: repeat_count over customer_count; null for months that are not over
*/
with visits as (
    select distinct
        customer_id,
        purchased_on
    from features.customer_day
    where is_visit and purchased_on <= {{ business_date }}
),

history as (
    select date_trunc('month', min(purchased_on)) as began_on
    from visits
),

people as (
    select
        customer_id,
        date_trunc('month', min(purchased_on)) as cohort_on
    from visits
    group by customer_id
),

cohorts as (
    select
        people.cohort_on,
        count(*) as customer_count
    from people
    cross join history
    where
        people.cohort_on > history.began_on
        and people.cohort_on >= date_trunc('month', {{ business_date }}) - interval 12 month
        and people.cohort_on < date_trunc('month', {{ business_date }} + 1)
    group by people.cohort_on
),

repeats as (
    select
        people.cohort_on,
        date_diff('month', people.cohort_on, visits.purchased_on) as months_after,
        count(distinct visits.customer_id) as repeat_count
    from visits
    inner join people on visits.customer_id = people.customer_id
    where date_diff('month', people.cohort_on, visits.purchased_on) between 1 and 12
    group by all
),

months as (
    select
        cohorts.cohort_on,
        cohorts.customer_count,
        cast(numbers.number as integer) as months_after,
        cohorts.cohort_on + to_months(cast(numbers.number as integer) + 1)
        <= {{ business_date }} + 1 as is_over
    from cohorts
    cross join generate_series(1, 11) as numbers (number)
    where cohorts.cohort_on + interval 2 month <= {{ business_date }} + 1
),

final as (
    select
        cast(months.cohort_on as date) as cohort_on,
        months.months_after,
        months.customer_count,
        case when months.is_over then coalesce(repeats.repeat_count, 0) end as repeat_count,
        case
            when months.is_over then coalesce(repeats.repeat_count, 0) / months.customer_count
        end as repeat_share
    from months
    left join repeats
        on months.cohort_on = repeats.cohort_on and months.months_after = repeats.months_after
)

select * from final
