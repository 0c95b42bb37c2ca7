/*
description: >-
  What the purchase model and two rules of thumb would have forecast for the latest held-back days,
  against what happened.
grain: one row per rival
key: [rival_rank]
owner: analytics
columns:
  rival_rank: 1 for the model
  rival: Who forecast, in words
  cut_on: Last day that was known
  horizon_days: Days looked ahead
  customer_count: People forecast
  predicted_visit_count: Visits forecast
  actual_visit_count: Visits seen
  bias_share: Forecast over seen visits, less 1
  mean_absolute_error: In visits a customer
  top_tenth_lift: Visits of the tenth ranked highest over a tenth of all visits
  active_auc: Chance that a customer who came back was scored above one who did not
*/
with backtest as (
    select *
    from features.clv_backtest
    where fold = 1
),

final as (
    select
        case rival when 'model' then 1 when 'last_horizon' then 2 else 3 end as rival_rank,
        case rival
            when 'model' then 'Purchase model'
            when 'last_horizon' then 'As often as in the days before'
            when 'purchase_rate' then 'As often as ever'
            else rival
        end as rival,
        cut_on,
        horizon_days,
        customer_count,
        predicted_visit_count,
        actual_visit_count,
        bias_share,
        mean_absolute_error,
        top_tenth_lift,
        active_auc
    from backtest
)

select * from final
