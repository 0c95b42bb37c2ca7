/*
description: >-
  Versions of the models, newest first, with what their gate found; of the serving one also how many
  of the watched inputs and scores have moved since its training.
grain: one row per version
key: [prediction, version]
owner: analytics
# the same people are learnt from again
sums: []
columns:
  prediction: What is predicted
  version: Day of training and hash of what was learnt
  model: Kind of model
  trained_on: Business date of the training
  customer_count: People it was trained on
  standing: Serves, or not
  gate: Passed or failed
  reason: What the gate found
  drift_text: Watched quantities that have moved; null for versions that do not serve
*/
with versions as (
    select * from features.model_registry
),

moved as (
    select
        version,
        coalesce(
            string_agg(quantity, ', ' order by quantity asc) filter (where status = 'drifted'),
            'none'
        ) as drift_text
    from features.model_drift
    group by version
),

final as (
    select
        versions.prediction,
        versions.version,
        versions.model,
        versions.trained_on,
        versions.customer_count,
        case when versions.is_serving then 'Serves' else '' end as standing,
        versions.gate,
        versions.reason,
        case when versions.is_serving then moved.drift_text end as drift_text
    from versions
    left join moved on versions.version = moved.version
)

select * from final
