/*
description: Predicted value by tenth of the customers who have a forecast.
grain: one row per tenth
key: [value_tenth]
owner: analytics
columns:
  value_tenth: 1 for the most valuable tenth, 10 for the least
  customer_count: People in the tenth
  average_clv_amount: Expected net amount in the next 12 months a person
  total_clv_amount: Expected net amount of the tenth
  clv_share: Share of the expected net amount of all
*/
with forecasts as (
    select *
    from features.clv
    where clv_tenth is not null
),

grouped as (
    select
        11 - clv_tenth as value_tenth,
        count(*) as customer_count,
        cast(avg(clv_12m_amount) as decimal(18, 2)) as average_clv_amount,
        cast(sum(clv_12m_amount) as decimal(18, 2)) as total_clv_amount
    from forecasts
    group by clv_tenth
),

final as (
    select
        value_tenth,
        customer_count,
        average_clv_amount,
        total_clv_amount,
        total_clv_amount / nullif(sum(total_clv_amount) over (), 0) as clv_share
    from grouped
)

select * from final
