/*
description: How, where and when a person buys; shares refer to the last 365 days.
grain: one row per person with a product line up to the business date
key: [customer_id]
owner: analytics
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  first_bought_on: Store-local date of the first purchase
  last_bought_on: Store-local date of the last purchase
  last_store_visit_on: Store-local date of the last purchase or return at a till
  last_web_order_on: Store-local date of the last web order
  visit_count_30d: Visit days in the last 30 days
  visit_count_90d: Visit days in the last 90 days
  visit_count_365d: Visit days in the last 365 days
  visit_count_ever: Visit days ever
  net_amount_30d: Net spending in the last 30 days
  net_amount_90d: Net spending in the last 90 days
  net_amount_365d: Net spending in the last 365 days
  net_amount_previous_365d: Net spending in the 365 days before
  net_amount_ever: Net spending ever
  mean_visit_amount: Mean net amount of a visit day in the last 365 days
  unit_count_365d: Units bought in the last 365 days
  store_share: Share of purchase days with a purchase at a till
  web_share: Share of purchase days with a web order; days with both count twice
  promotion_share: Share of gross spending that a promotion priced
  discount_share: Discounts as a share of what the goods cost before them
  return_share: Share of gross spending that was given back
  favourite_store_id: Store with the most purchase days; ties go to the latest
  favourite_weekday_no: Weekday with the most purchase days, 1 Monday to 7 Sunday
  favourite_weekday_name: Its name
checks:
  - {expect: between, column: promotion_share, min: 0, max: 1, severity: warn}
incremental:  # a person
  unit: {customer: customer_id}
  inputs:
    features.customer_day:
      unit: {customer: customer_id}
      turns: {purchased_on: [30, 90, 365, 730]}
    core.fct_sales:
      where: customer_id is not null and channel = 'store' and line_kind = 'product'
      unit: {customer: customer_id}
      turns: {sold_on: [0, 365]}
*/
with customer_day as (
    select * from features.customer_day
),

fct_sales as (
    select * from core.fct_sales
    where
        customer_id is not null
        and channel = 'store'
        and line_kind = 'product'
        and sold_on <= {{ business_date }}
),

days as (
    select
        *,
        is_recent(purchased_on, {{ business_date }}, 30) as is_30d,
        is_recent(purchased_on, {{ business_date }}, 90) as is_90d,
        is_recent(purchased_on, {{ business_date }}, 365) as is_365d,
        is_recent(purchased_on, {{ business_date }} - 365, 365) as is_previous_365d,
        is_store_visit or is_web_visit as is_purchase
    from customer_day
),

totals as (
    select
        customer_id,
        min(purchased_on) filter (where is_purchase) as first_bought_on,
        max(purchased_on) filter (where is_purchase) as last_bought_on,
        max(purchased_on) filter (where is_web_visit) as last_web_order_on,
        count(*) filter (where is_visit and is_30d) as visit_count_30d,
        count(*) filter (where is_visit and is_90d) as visit_count_90d,
        count(*) filter (where is_visit and is_365d) as visit_count_365d,
        count(*) filter (where is_visit) as visit_count_ever,
        coalesce(sum(net_amount) filter (where is_30d), 0) as net_amount_30d,
        coalesce(sum(net_amount) filter (where is_90d), 0) as net_amount_90d,
        coalesce(sum(net_amount) filter (where is_365d), 0) as net_amount_365d,
        coalesce(sum(net_amount) filter (where is_previous_365d), 0) as net_amount_previous_365d,
        sum(net_amount) as net_amount_ever,
        sum(net_amount) filter (where is_visit and is_365d) as visit_amount_365d,
        coalesce(sum(unit_count) filter (where is_365d), 0) as unit_count_365d,
        count(*) filter (where is_365d and is_purchase) as purchase_day_count,
        count(*) filter (where is_365d and is_store_visit) as store_day_count,
        count(*) filter (where is_365d and is_web_visit) as web_day_count,
        sum(gross_amount) filter (where is_365d) as gross_amount,
        sum(promoted_amount) filter (where is_365d) as promoted_amount,
        sum(discount_amount) filter (where is_365d) as discount_amount,
        sum(returned_amount) filter (where is_365d) as returned_amount
    from days
    group by customer_id
),

store_days as (
    select
        customer_id,
        store_id,
        sold_on,
        bool_or(not is_return) as is_purchase
    from fct_sales
    group by customer_id, store_id, sold_on
),

last_store_visits as (
    select
        customer_id,
        max(sold_on) as last_store_visit_on
    from store_days
    group by customer_id
),

favourite_stores as (
    select
        customer_id,
        store_id
    from store_days
    where
        is_purchase
        and store_id is not null
        and is_recent(sold_on, {{ business_date }}, 365)
    group by customer_id, store_id
    qualify
        row_number() over (
            partition by customer_id
            order by count(*) desc, max(sold_on) desc, store_id asc
        ) = 1
),

favourite_weekdays as (
    select
        customer_id,
        cast(isodow(purchased_on) as integer) as weekday_no,
        dayname(max(purchased_on)) as weekday_name
    from days
    where is_purchase and is_365d
    group by customer_id, isodow(purchased_on)
    qualify
        row_number() over (
            partition by customer_id
            order by count(*) desc, max(purchased_on) desc
        ) = 1
),

final as (
    select
        totals.customer_id,
        totals.first_bought_on,
        totals.last_bought_on,
        last_store_visits.last_store_visit_on,
        totals.last_web_order_on,
        totals.visit_count_30d,
        totals.visit_count_90d,
        totals.visit_count_365d,
        totals.visit_count_ever,
        cast(totals.net_amount_30d as decimal(18, 2)) as net_amount_30d,
        cast(totals.net_amount_90d as decimal(18, 2)) as net_amount_90d,
        cast(totals.net_amount_365d as decimal(18, 2)) as net_amount_365d,
        cast(totals.net_amount_previous_365d as decimal(18, 2)) as net_amount_previous_365d,
        cast(totals.net_amount_ever as decimal(18, 2)) as net_amount_ever,
        cast(
            totals.visit_amount_365d / nullif(totals.visit_count_365d, 0) as decimal(18, 2)
        ) as mean_visit_amount,
        cast(totals.unit_count_365d as decimal(18, 3)) as unit_count_365d,
        share(totals.store_day_count, totals.purchase_day_count) as store_share,
        share(totals.web_day_count, totals.purchase_day_count) as web_share,
        share(totals.promoted_amount, totals.gross_amount) as promotion_share,
        share(totals.discount_amount, totals.gross_amount + totals.discount_amount)
            as discount_share,
        share(totals.returned_amount, totals.gross_amount) as return_share,
        favourite_stores.store_id as favourite_store_id,
        favourite_weekdays.weekday_no as favourite_weekday_no,
        favourite_weekdays.weekday_name as favourite_weekday_name
    from totals
    left join last_store_visits on totals.customer_id = last_store_visits.customer_id
    left join favourite_stores on totals.customer_id = favourite_stores.customer_id
    left join favourite_weekdays on totals.customer_id = favourite_weekdays.customer_id
)

select * from final
