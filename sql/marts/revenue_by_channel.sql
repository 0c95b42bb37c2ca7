/*
description: >-
  Net revenue of the business date by channel, against the same weekday a week and 364 days before.
  The rows add up to net_amount of marts.daily_performance.
grain: one row per channel with revenue on one of the three days
key: [channel]
owner: analytics
columns:
  channel: Where it was sold
  net_amount: Net revenue on the business date
  net_share: Share of the day's net revenue
  week_before_amount: Net revenue seven days before; null before the first sale
  year_before_amount: Net revenue 364 days before; null before the first sale
  week_change: net_amount over week_before_amount, less 1; null unless that is above 0
  year_change: net_amount over year_before_amount, less 1; null unless that is above 0
*/
with sales as (
    select *
    from core.fct_sales
    where
        line_kind <> 'gift_card'
        and sold_on in (
            {{ business_date }}, {{ business_date }} - 7, {{ business_date }} - 364
        )
),

history as (
    select min(sold_on) as began_on
    from core.fct_sales
),

grouped as (
    select
        case sales.channel
            when 'store' then 'Stores'
            when 'web' then 'Website'
            else sales.channel
        end as channel,
        coalesce(sum(sales.net_amount) filter (where sales.sold_on = {{ business_date }}), 0)
            as net_amount,
        coalesce(sum(sales.net_amount) filter (where sales.sold_on = {{ business_date }} - 7), 0)
            as week_before_amount,
        coalesce(sum(sales.net_amount) filter (where sales.sold_on = {{ business_date }} - 364), 0)
            as year_before_amount
    from sales
    group by all
),

known as (
    select
        grouped.channel,
        cast(grouped.net_amount as decimal(18, 2)) as net_amount,
        cast(
            case
                when history.began_on <= {{ business_date }} - 7 then grouped.week_before_amount
            end
            as decimal(18, 2)
        ) as week_before_amount,
        cast(
            case
                when history.began_on <= {{ business_date }} - 364 then grouped.year_before_amount
            end
            as decimal(18, 2)
        ) as year_before_amount
    from grouped
    cross join history
),

final as (
    select
        channel,
        net_amount,
        net_amount / nullif(sum(net_amount) over (), 0) as net_share,
        week_before_amount,
        year_before_amount,
        change_share(net_amount, week_before_amount) as week_change,
        change_share(net_amount, year_before_amount) as year_change
    from known
)

select * from final
