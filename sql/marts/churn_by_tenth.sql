/*
description: >-
  Whether the chance of a visit kept its word on the latest held-back days: tenths of customers by
  that chance, and how many of each came.
grain: one row per tenth
key: [chance_tenth]
owner: analytics
columns:
  chance_tenth: 1 for the lowest chances, 10 for the highest
  customer_count: People in the tenth
  came_count: Those of them who came
  predicted_share: Mean chance of a visit that the model gave them
  actual_share: Share of them who came
*/
with calibration as (
    select *
    from features.clv_calibration
    where fold = 1 and quantity = 'active'
),

final as (
    select
        tenth as chance_tenth,
        cast(round(customer_count) as bigint) as customer_count,
        cast(round(customer_count * actual) as bigint) as came_count,
        predicted as predicted_share,
        actual as actual_share
    from calibration
)

select * from final
