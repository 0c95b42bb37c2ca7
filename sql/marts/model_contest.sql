/*
description: >-
  Who serves each prediction: all models and rules, by how they did on all past days together.
grain: one row per prediction and entrant
key: [prediction, place]
owner: analytics
columns:
  prediction: What is predicted
  place: 1 for the best
  entrant: Model or rule
  standing: Serves, other model, or rule anybody could apply
  fold_count: Past days it was compared on
  loss_change: Loss against that of the default on the same days; negative is better
  reason: Why it serves or not
*/
with contest as (
    select * from features.model_contest
),

final as (
    select
        prediction,
        place,
        entrant,
        case
            when is_serving then 'Serves'
            when is_naive then 'Rule anybody could apply'
            else 'Other model'
        end as standing,
        fold_count,
        relative_loss - 1 as loss_change,
        reason
    from contest
)

select * from final
