/*
description: >-
  The key figures of every day, wide: one column a figure, so that a report picks columns. Days
  before the first sale have no row, so comparisons with them vanish instead of misleading.
grain: one row per business date of the last 392 days with sales history
key: [business_date]
owner: analytics
columns:
  business_date: Store-local day
  age_days: Days before the night's business date; 0 is that date itself
  net_amount: Net revenue, goods and fees, returns deducted, gift cards left out
  net_week_change: >-
    Net revenue over that of the same weekday a week before, less 1; null unless that is above 0
  net_year_change: >-
    Net revenue over that of the same weekday 364 days before, less 1; null unless that is above 0
  net_last_year_amount: Net revenue 364 days before
  receipt_count: Receipts and orders with at least one bought line
  basket_amount: Revenue of bought lines per receipt or order
  known_net_amount: Net revenue of sales tied to a person
  known_share: Share of net revenue that is tied to a person
  active_customer_count: Active people as in marts.customer_flow_daily; past days only after a year
  new_customer_count: People with their first known purchase; past days as above
  lapsed_customer_count: People who lapsed on the day; past days as above
  reachable_count: Active customers with consent and an address for e-mail
  reachable_share: Share of active customers with consent and an address for e-mail
checks:
  - {expect: between, column: known_share, min: -1, max: 2, severity: warn}
*/
with sales as (
    select *
    from core.fct_sales
    where line_kind <> 'gift_card' and sold_on <= {{ business_date }}
),

flow as (
    select * from marts.customer_flow_daily
),

reach as (
    select * from marts.reach_daily
),

history as (
    select min(sold_on) as began_on
    from sales
),

days as (
    select
        cast(
            unnest(generate_series(began_on, {{ business_date }}, interval 1 day)) as date
        ) as business_date
    from history
),

trade as (
    select
        sold_on,
        cast(sum(net_amount) as decimal(18, 2)) as net_amount,
        cast(sum(net_amount) filter (where customer_id is not null) as decimal(18, 2))
            as known_net_amount,
        cast(sum(net_amount) filter (where not is_return) as decimal(18, 2)) as bought_amount,
        count(distinct source || ':' || sale_id) filter (where not is_return) as receipt_count
    from sales
    group by sold_on
),

daily as (
    select
        days.business_date,
        coalesce(trade.net_amount, 0) as net_amount,
        coalesce(trade.known_net_amount, 0) as known_net_amount,
        coalesce(trade.receipt_count, 0) as receipt_count,
        trade.bought_amount,
        days.business_date >= history.began_on + {{ settings.rfm.window_days }}
        or days.business_date = {{ business_date }} as is_comparable
    from days
    cross join history
    left join trade on days.business_date = trade.sold_on
),

final as (
    select
        daily.business_date,
        {{ business_date }} - daily.business_date as age_days,
        daily.net_amount,
        change_share(daily.net_amount, week_before.net_amount) as net_week_change,
        change_share(daily.net_amount, year_before.net_amount) as net_year_change,
        year_before.net_amount as net_last_year_amount,
        daily.receipt_count,
        cast(daily.bought_amount / nullif(daily.receipt_count, 0) as decimal(18, 2))
            as basket_amount,
        daily.known_net_amount,
        daily.known_net_amount / nullif(daily.net_amount, 0) as known_share,
        -- in the first year of history everybody looks new and nobody can lapse: no comparisons
        case when daily.is_comparable then flow.closing_count end as active_customer_count,
        case when daily.is_comparable then flow.new_count end as new_customer_count,
        case when daily.is_comparable then flow.lapsed_count end as lapsed_customer_count,
        reach.reachable_count,
        reach.reachable_share
    from daily
    left join daily as week_before on daily.business_date = week_before.business_date + 7
    left join daily as year_before on daily.business_date = year_before.business_date + 364
    left join flow on daily.business_date = flow.business_date
    left join reach on daily.business_date = reach.business_date
    where daily.business_date > {{ business_date }} - 392
)

select * from final
