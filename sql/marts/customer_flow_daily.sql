/*
description: >-
  How the number of active customers moved day by day. Active means bought at least once within the
  days of settings.rfm.window_days; a customer lapses when so many days passed since the last visit.
grain: one row per business date of the last 392 days with history
key: [business_date]
owner: analytics
sums:
  - of: [opening_count, new_count, returned_count]
    less: [lapsed_count]
    total: closing_count
columns:
  business_date: Store-local day
  opening_count: People active at the start of the day
  new_count: People whose first known purchase was on the day
  returned_count: People who bought after having lapsed
  lapsed_count: People who lapsed on the day
  closing_count: People active at the end of the day
checks:
  - expect: "true"
    name: flow_adds_up
    where: closing_count = opening_count + new_count + returned_count - lapsed_count
*/
with visits as (
    select distinct
        customer_id,
        purchased_on
    from features.customer_day
    where is_visit and purchased_on <= {{ business_date }}
),

spells as (
    select
        customer_id,
        purchased_on,
        lag(purchased_on) over (partition by customer_id order by purchased_on) as previous_on,
        lead(purchased_on) over (partition by customer_id order by purchased_on) as next_on
    from visits
),

events as (
    select
        purchased_on as business_date,
        count(*) filter (where previous_on is null) as new_count,
        count(*) filter (where purchased_on - previous_on > {{ settings.rfm.window_days }})
            as returned_count,
        0 as lapsed_count
    from spells
    group by purchased_on
    union all by name
    select
        purchased_on + {{ settings.rfm.window_days }} as business_date,
        0 as new_count,
        0 as returned_count,
        count(*) as lapsed_count
    from spells
    where next_on is null or next_on - purchased_on > {{ settings.rfm.window_days }}
    group by purchased_on
),

days as (
    select
        cast(
            unnest(generate_series(min(purchased_on), {{ business_date }}, interval 1 day)) as date
        ) as business_date
    from visits
),

daily as (
    select
        days.business_date,
        cast(coalesce(sum(events.new_count), 0) as bigint) as new_count,
        cast(coalesce(sum(events.returned_count), 0) as bigint) as returned_count,
        cast(coalesce(sum(events.lapsed_count), 0) as bigint) as lapsed_count
    from days
    left join events on days.business_date = events.business_date
    group by days.business_date
),

running as (
    select
        business_date,
        new_count,
        returned_count,
        lapsed_count,
        cast(
            sum(new_count + returned_count - lapsed_count) over (order by business_date) as bigint
        ) as closing_count
    from daily
),

final as (
    select
        business_date,
        closing_count - new_count - returned_count + lapsed_count as opening_count,
        new_count,
        returned_count,
        lapsed_count,
        closing_count
    from running
    where business_date > {{ business_date }} - 392
)

select * from final
