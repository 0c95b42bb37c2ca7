/*
description: Active customers by recency and frequency score; the cells add up to all of them.
grain: one row per recency score and frequency score
key: [r_score, f_score]
owner: analytics
sums:
  - {of: [customer_count], within: [r_score]}
  - {of: [customer_count], within: [f_score]}
columns:
  r_score: Recency score, high is recent
  f_score: Frequency score, high is often
  recency_label: Days since the last purchase that the score covers
  frequency_label: Days with a purchase that the score covers
  customer_count: People in the cell
  rfm_segment: RFM group that all people in the cell are in; null if there are several or none
  average_spend_amount: What a person in the cell spent in the window; null for an empty cell
*/
with people as (
    select * from marts.customer_value
),

scores as (
    select cast(unnest(generate_series(1, {{ settings.rfm.bins }})) as integer) as score
    where (select bool_or(is_sound) from people)
),

ranges as (
    select
        dimension,
        score,
        cast(smallest as integer) as smallest,
        cast(largest as integer) as largest
    from features.rfm_thresholds
),

cells as (
    select
        r_score,
        f_score,
        count(*) as customer_count,
        case
            when min(rfm_segment) = max(rfm_segment) and count(rfm_segment) = count(*)
                then min(rfm_segment)
        end as rfm_segment,
        cast(avg(window_net_amount) as decimal(18, 2)) as average_spend_amount
    from people
    group by
        r_score,
        f_score
),

final as (
    select
        r.score as r_score,
        f.score as f_score,
        case
            when recency.score is null then 'score ' || r.score
            when recency.largest = recency.smallest then recency.largest || ' days'
            else recency.smallest || '–' || recency.largest || ' days'
        end as recency_label,
        case
            when frequency.score is null then 'score ' || f.score
            when f.score = {{ settings.rfm.bins }} then frequency.smallest || '+'
            when frequency.largest = frequency.smallest then cast(frequency.largest as varchar)
            else frequency.smallest || '–' || frequency.largest
        end as frequency_label,
        coalesce(cells.customer_count, 0) as customer_count,
        cells.rfm_segment,
        cells.average_spend_amount
    from scores as r
    cross join scores as f
    left join ranges as recency on recency.dimension = 'recency' and r.score = recency.score
    left join ranges as frequency
        on frequency.dimension = 'frequency' and f.score = frequency.score
    left join cells on r.score = cells.r_score and f.score = cells.f_score
)

select * from final
