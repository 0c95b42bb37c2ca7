/*
question: How much did each retail week take, against the same week last year?
role: manager
grain: one row per retail week of the last 13
owner: analytics
columns:
  week_starts_on: First day of the week
  retail_week: Week of the retail year, 1 to 53
  net_amount: Net revenue in the store's currency
  last_year_amount: Net revenue of the same weekdays 364 days before
  change_share: Net revenue over that of last year, less 1; null without a last year
*/
with days as (
    select
        sold_on,
        sum(net_amount) as net_amount
    from core.fct_sales
    where line_kind <> 'gift_card'
    group by sold_on
),

weeks as (
    select
        dim_date.week_starts_on,
        min(dim_date.retail_week) as retail_week,
        coalesce(sum(days.net_amount), 0) as net_amount,
        sum(last_year.net_amount) as last_year_amount
    from core.dim_date as dim_date
    left join days on dim_date.date_on = days.sold_on
    left join days as last_year on dim_date.same_weekday_last_year_on = last_year.sold_on
    where
        dim_date.date_on <= (
            select max(today.date_on)
            from core.dim_date as today
            where today.is_business_date
        )
    group by dim_date.week_starts_on
)

select
    week_starts_on,
    retail_week,
    net_amount,
    last_year_amount,
    cast(net_amount as double)
    / case when last_year_amount > 0 then last_year_amount end - 1 as change_share
from weeks
order by week_starts_on desc
limit 13
