/*
description: >-
  Everybody who bought within the window of the RFM scores: what they spent in it and are expected
  to spend. The groups, the grid and the number of active customers all count these people.
grain: one row per active customer
key: [customer_id]
owner: analytics
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  rfm_segment: RFM group
  r_score: Recency score, high is recent
  f_score: Frequency score, high is often
  window_net_amount: Net amount in the window of the RFM scores
  clv_12m_amount: Expected net amount in the next 12 months; null without a forecast
  is_sound: Whether there are enough buyers and days of history for scores to mean something
*/
with rfm as (
    select * from features.rfm
),

spent as (
    select
        customer_id,
        cast(sum(net_amount) as decimal(18, 2)) as window_net_amount
    from features.customer_day
    where
        purchased_on <= {{ business_date }}
        and purchased_on > {{ business_date }} - {{ settings.rfm.window_days }}
    group by customer_id
    -- who only gave things back did not buy
    having bool_or(is_visit)
),

final as (
    select
        spent.customer_id,
        rfm.rfm_segment,
        rfm.r_score,
        rfm.f_score,
        spent.window_net_amount,
        clv.clv_12m_amount,
        rfm.rfm_status = 'ok' as is_sound
    from spent
    inner join rfm on spent.customer_id = rfm.customer_id
    left join features.clv as clv on spent.customer_id = clv.customer_id
)

select * from final
