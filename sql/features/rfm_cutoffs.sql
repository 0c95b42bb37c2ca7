/*
description: >-
  Where one RFM score ends and the next begins. With settings.rfm.freeze they stay as they were
  fixed in the month or quarter.
grain: one row
key: [fixed_on]
owner: analytics
columns:
  fixed_on: Business date whose customers they come from
  window_days: Days of purchases that counted
  bins: Scores per dimension
  recency_steps: Days since the last visit up to which the best, second best … score reaches
  frequency_steps: Visit days up to which score 1, 2 … reaches
  monetary_steps: {description: "Net amount up to which score 1, 2 … reaches", unit: store currency}
*/
with rfm as (
    select * from features.rfm
    where frequency_count > 0
),

{% set bins = settings.rfm.bins %}
fresh as (
    select
        {{ business_date }} as fixed_on,
        cast({{ settings.rfm.window_days }} as integer) as window_days,
        cast({{ bins }} as integer) as bins,
        quantile_disc(recency_days, even_shares({{ bins }})) as recency_steps,
        quantile_disc(frequency_count, even_shares({{ bins }})) as frequency_steps,
        quantile_disc(monetary_amount, even_shares({{ bins }})) as monetary_steps
    from rfm
    having count(*) > 0
),

kept as (
    {% if settings.rfm.freeze != 'night' and base.has("features.rfm_cutoffs") %}
    select
        fixed_on,
        window_days,
        bins,
        recency_steps,
        frequency_steps,
        monetary_steps
    from base.features.rfm_cutoffs
    where
        is_same_period('{{ settings.rfm.freeze }}', fixed_on, {{ business_date }})
        and window_days = {{ settings.rfm.window_days }}
        and bins = {{ bins }}
        and recency_steps is not null
    {% else %}
    select * from fresh
    where false
    {% endif %}
),

final as (
    select
        fixed_on,
        window_days,
        bins,
        recency_steps,
        frequency_steps,
        monetary_steps
    from kept
    union all
    select
        fixed_on,
        window_days,
        bins,
        recency_steps,
        frequency_steps,
        monetary_steps
    from fresh
    where not exists (select 1 from kept)
)

select * from final
