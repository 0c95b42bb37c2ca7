/*
description: >-
  What each way to forecast would have said of the latest held-back days, against what happened: the
  model that serves, every other model, and rules that anybody could apply.
grain: one row per rival
key: [rival_rank]
owner: analytics
columns:
  rival_rank: 1 for the smallest loss on these days
  rival: Who forecast, in words
  is_serving: Whether tonight's scores come from this kind of model
  standing: Serves, other model, or rule anybody could apply
  cut_on: Last day that was known
  horizon_days: Days looked ahead
  customer_count: People forecast
  predicted_visit_count: Visits forecast
  low_visit_count: Lower end of the range given on that day; for what serves only
  high_visit_count: Upper end of that range
  actual_visit_count: Visits seen
  bias_share: Forecast over seen visits, less 1
  predicted_amount: Net amount forecast
  actual_amount: Net amount seen
  amount_bias_share: Forecast over seen amount, less 1
  mean_absolute_error: {description: In visits a customer, unit: visit days}
  root_mean_squared_error:
    {description: "In visits a customer, large errors counting more", unit: visit days}
  top_tenth_lift: Visits of the tenth ranked highest over a tenth of all visits
  active_auc: Chance that a customer who came back was scored above one who did not
  active_log_loss: Surprise of the forecast chance of a visit; null for rules
*/
with backtest as (
    select *
    from features.clv_backtest
    where fold = 1
),

named as (
    select
        *,
        case rival
            when 'last_horizon' then 'As often as in the days before'
            when 'last_year' then 'As often as in the same days a year ago'
            when 'purchase_rate' then 'As often as ever'
            when 'average_customer' then 'Everybody as often as the average customer'
            else
                upper(split_part(rival, ',', 1))
                || case when rival like '%, seasonal' then ', in the time of the season' else '' end
        end as title
    from backtest
),

final as (
    select
        row_number() over (order by contest_loss asc, rival asc) as rival_rank,
        title as rival,
        is_serving,
        case
            when is_serving then 'Serves'
            when is_naive then 'Rule anybody could apply'
            else 'Other model'
        end as standing,
        cut_on,
        horizon_days,
        customer_count,
        predicted_visit_count,
        low_visit_count,
        high_visit_count,
        actual_visit_count,
        bias_share,
        predicted_amount,
        actual_amount,
        amount_bias_share,
        mean_absolute_error,
        root_mean_squared_error,
        top_tenth_lift,
        active_auc,
        active_log_loss
    from named
)

select * from final
