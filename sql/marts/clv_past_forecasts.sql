/*
description: >-
  What the model that serves would have said of each held-back window, with the range it gave,
  beside the best rule that anybody could apply, and what happened.
grain: one row per past day
key: [cut_on]
owner: analytics
columns:
  cut_on: Last day that was known
  horizon_days: Days looked ahead
  customer_count: People forecast
  actual_visit_count: Visits seen
  predicted_visit_count: Visits forecast by what serves
  low_visit_count: Lower end of the range given on that day
  high_visit_count: Upper end of that range
  held: Whether the range held the visits, in words
  bias_share: Forecast over seen visits, less 1
  rule_bias_share: The same for the rule that was nearest in hindsight
*/
with backtest as (
    select * from features.clv_backtest
    where fold > 0
),

rules as (
    select
        fold,
        min_by(bias_share, (abs(bias_share), rival)) as rule_bias_share
    from backtest
    where is_naive
    group by fold
),

final as (
    select
        backtest.cut_on,
        backtest.horizon_days,
        backtest.customer_count,
        backtest.actual_visit_count,
        backtest.predicted_visit_count,
        backtest.low_visit_count,
        backtest.high_visit_count,
        case
            when
                backtest.actual_visit_count between backtest.low_visit_count
                and backtest.high_visit_count
                then 'yes'
            else 'no'
        end as held,
        backtest.bias_share,
        rules.rule_bias_share
    from backtest
    left join rules on backtest.fold = rules.fold
    where backtest.is_serving
)

select * from final
