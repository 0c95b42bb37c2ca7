/*
description: >-
  Recency, frequency and money within the window of settings.rfm. Scores come from thresholds, so
  equal values always get equal scores; settings.rfm.freeze keeps thresholds for a month or a
  quarter, so that nobody changes group because others did. People whose returns outweigh their
  purchases have frequency 0, the lowest scores, and no part in the thresholds.
grain: one row per person with a product line within the window
key: [customer_id]
owner: analytics
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  last_visit_on: Store-local date of the last visit in the window; null if there is none
  recency_days: Days since the last visit; null if there is none
  frequency_count: Visit days in the window
  monetary_amount: Net spending in the window
  r_score: 1 longest ago to settings.rfm.bins most recent
  f_score: 1 rarest to settings.rfm.bins most often
  m_score: 1 least to settings.rfm.bins most money
  rfm_cell: Scores in a row, brought to 1 to 5 each
  rfm_segment: Name of the cell in features.rfm_segment_map
  rfm_status: >-
    ok; few_buyers below 500 buyers; short_history below 180 days; no_recent_sales if nobody bought
    for 30 days; few_repeaters if nobody has three visits. Only ok scores mean much
checks:
  - {expect: not_null, column: rfm_segment}
  - {expect: between, column: recency_days, min: 0}
*/
with customer_day as (
    select * from features.customer_day
    where is_recent(purchased_on, {{ business_date }}, {{ settings.rfm.window_days }})
),

rfm_segment_map as (
    select * from features.rfm_segment_map
),

totals as (
    select
        customer_id,
        max(purchased_on) filter (where is_visit) as last_visit_on,
        count(*) filter (where is_visit) as visit_count,
        cast(sum(net_amount) as decimal(18, 2)) as monetary_amount
    from customer_day
    group by customer_id
),

buyers as (
    select
        customer_id,
        last_visit_on,
        cast({{ business_date }} - last_visit_on as integer) as recency_days,
        cast(visit_count as integer) as frequency_count,
        monetary_amount
    from totals
    where visit_count > 0 and monetary_amount > 0
),

{% set bins = settings.rfm.bins %}
fresh as (
    select
        quantile_disc(recency_days, even_shares({{ bins }})) as recency_steps,
        quantile_disc(frequency_count, even_shares({{ bins }})) as frequency_steps,
        quantile_disc(monetary_amount, even_shares({{ bins }})) as monetary_steps,
        case
            when count(*) < 500 then 'few_buyers'
            when max(frequency_count) < 3 then 'few_repeaters'
            when min(recency_days) > 30 then 'no_recent_sales'
            else 'ok'
        end as buyers_status
    from buyers
),

kept as (
    {% if settings.rfm.freeze != 'night' and base.has("features.rfm_cutoffs") %}
    select
        recency_steps,
        frequency_steps,
        monetary_steps
    from base.features.rfm_cutoffs
    where
        is_same_period('{{ settings.rfm.freeze }}', fixed_on, {{ business_date }})
        and window_days = {{ settings.rfm.window_days }}
        and bins = {{ bins }}
    {% else %}
    select
        recency_steps,
        frequency_steps,
        monetary_steps
    from fresh
    where false
    {% endif %}
),

thresholds as (
    select
        coalesce(kept.recency_steps, fresh.recency_steps) as recency_steps,
        coalesce(kept.frequency_steps, fresh.frequency_steps) as frequency_steps,
        coalesce(kept.monetary_steps, fresh.monetary_steps) as monetary_steps,
        fresh.buyers_status
    from fresh
    left join kept on true
),

-- The age of the history is asked of all days, as the window would cut it off.
history as (
    select coalesce({{ business_date }} - min(purchased_on), 0) < 180 as is_short
    from features.customer_day
),

scored as (
    select
        buyers.*,
        {{ bins }} - count_below(thresholds.recency_steps, buyers.recency_days) as r_score,
        1 + count_below(thresholds.frequency_steps, buyers.frequency_count) as f_score,
        1 + count_below(thresholds.monetary_steps, buyers.monetary_amount) as m_score
    from buyers
    cross join thresholds
),

all_scored as (
    select
        totals.customer_id,
        scored.last_visit_on,
        scored.recency_days,
        coalesce(scored.frequency_count, 0) as frequency_count,
        totals.monetary_amount,
        cast(coalesce(scored.r_score, 1) as integer) as r_score,
        cast(coalesce(scored.f_score, 1) as integer) as f_score,
        cast(coalesce(scored.m_score, 1) as integer) as m_score
    from totals
    left join scored on totals.customer_id = scored.customer_id
),

celled as (
    select
        *,
        rfm_cell(r_score, f_score, m_score, {{ bins }}) as rfm_cell
    from all_scored
),

final as (
    select
        celled.customer_id,
        celled.last_visit_on,
        celled.recency_days,
        celled.frequency_count,
        celled.monetary_amount,
        celled.r_score,
        celled.f_score,
        celled.m_score,
        celled.rfm_cell,
        rfm_segment_map.rfm_segment,
        case
            when thresholds.buyers_status <> 'ok' then thresholds.buyers_status
            when history.is_short then 'short_history'
            else 'ok'
        end as rfm_status
    from celled
    cross join thresholds
    cross join history
    left join rfm_segment_map on celled.rfm_cell = rfm_segment_map.rfm_cell
)

select * from final
