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

customers as (
    select
        customer_id,
        monetary_amount,
        visit_count > 0 and monetary_amount > 0 as is_buyer,
        case when is_buyer then last_visit_on end as last_visit_on,
        cast({{ business_date }} - case when is_buyer then last_visit_on end as integer)
            as recency_days,
        cast(case when is_buyer then visit_count else 0 end as integer) as frequency_count
    from totals
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
    from customers
    where is_buyer
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
        customers.*,
        rfm_score(customers.is_buyer, thresholds.recency_steps, customers.recency_days, true)
            as r_score,
        rfm_score(
            customers.is_buyer, thresholds.frequency_steps, customers.frequency_count, false
        ) as f_score,
        rfm_score(
            customers.is_buyer, thresholds.monetary_steps, customers.monetary_amount, false
        ) as m_score
    from customers
    cross join thresholds
),

celled as (
    select
        *,
        rfm_cell(r_score, f_score, m_score, {{ bins }}) as rfm_cell
    from scored
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
