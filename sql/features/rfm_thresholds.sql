/*
description: What each RFM score meant on the business date, to print beside it.
grain: one row per dimension and score that somebody has
key: [dimension, score]
owner: analytics
columns:
  dimension: recency, frequency or monetary
  score: Score, 1 to settings.rfm.bins
  smallest:
    description: "Smallest value with the score, in days, visits or money"
    unit: "days, visits or store currency, by dimension"
  largest:
    description: Largest value with the score
    unit: "days, visits or store currency, by dimension"
  customer_count: People with the score
*/
with rfm as (
    select * from features.rfm
    where frequency_count > 0
),

final as (
    select
        'recency' as dimension,
        r_score as score,
        cast(min(recency_days) as decimal(18, 2)) as smallest,
        cast(max(recency_days) as decimal(18, 2)) as largest,
        count(*) as customer_count
    from rfm
    group by r_score
    union all
    select
        'frequency' as dimension,
        f_score as score,
        cast(min(frequency_count) as decimal(18, 2)) as smallest,
        cast(max(frequency_count) as decimal(18, 2)) as largest,
        count(*) as customer_count
    from rfm
    group by f_score
    union all
    select
        'monetary' as dimension,
        m_score as score,
        min(monetary_amount) as smallest,
        max(monetary_amount) as largest,
        count(*) as customer_count
    from rfm
    group by m_score
)

select * from final
