/*
description: >-
  The purchase history of a person as the lifetime models read it, in days. People who gave back all
  they ever bought are left out: their history is a cancellation, not a habit.
grain: one row per person with a visit and a net amount above zero
key: [customer_id]
owner: analytics
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  first_on: Store-local date of the first visit
  last_on: Store-local date of the last visit
  x: Repeat visit days; the first is not counted
  t_x: Days from the first to the last visit
  t_days: Days from the first visit to the business date
  visit_count: Visit days, x + 1
  net_amount: Net spending ever
  mean_amount: Mean net amount of a visit day
  mean_repeat_amount: Mean net amount of a repeat visit day; null if x is 0
  usual_gap_days: Mean days between visits; null if x is 0
checks:
  - {expect: between, column: x, min: 0}
  - {expect: "true", name: last_visit_within_history, where: t_x <= t_days}
  - {expect: "true", name: no_repeat_means_no_span, where: (x = 0) = (t_x = 0)}
*/
with customer_day as (
    select * from features.customer_day
),

-- The first visit is known by its date, so no window over all days is needed.
histories as (
    select
        customer_id,
        min(purchased_on) filter (where is_visit) as first_on,
        max(purchased_on) filter (where is_visit) as last_on,
        count(*) filter (where is_visit) as visit_count,
        sum(net_amount) as net_amount,
        sum(net_amount) filter (where is_visit) as visit_amount,
        arg_min(net_amount, purchased_on) filter (where is_visit) as first_amount
    from customer_day
    group by customer_id
    having
        count(*) filter (where is_visit) > 0
        and (sum(net_amount) > 0 or min(net_amount) >= 0)
),

final as (
    select
        customer_id,
        first_on,
        last_on,
        cast(visit_count - 1 as integer) as x,
        cast(last_on - first_on as integer) as t_x,
        cast({{ business_date }} - first_on as integer) as t_days,
        cast(visit_count as integer) as visit_count,
        cast(net_amount as decimal(18, 2)) as net_amount,
        cast(visit_amount / visit_count as decimal(18, 2)) as mean_amount,
        cast(
            (visit_amount - first_amount) / nullif(visit_count - 1, 0) as decimal(18, 2)
        ) as mean_repeat_amount,
        round((last_on - first_on) / nullif(visit_count - 1, 0), 1) as usual_gap_days
    from histories
)

select * from final
