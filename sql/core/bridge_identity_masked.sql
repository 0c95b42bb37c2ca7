/*
description: >-
  How the records of a person hang together, without the keys that name them in their sources; those
  are in the vault, core.bridge_identity.
grain: one row per person record
key: [customer_id, record_no]
owner: data-engineering
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  record_no: Number of the record among those of the person, from 1; may change with every night
  source: Source of the record
  match_prob: Probability of the weakest evidence that holds the record to the person; 1 if alone
  linked_by: What proposed the strongest link to another record of the person
  linked_source: Source of the record at the other end of that link; null without one
  link_prob: Probability of that link; null without one
  match_weight: log2 likelihood ratio of that link; null if it was not weighed
  linked_on: Business date of the night since which the record belongs to this person
  model_fitted_on: Business date of the fit of the model that scored the link
incremental:  # a person
  unit: {customer: customer_id}
  inputs:
    core.bridge_identity:
      unit: {customer: customer_id}
*/
with bridge_identity as (
    select * from core.bridge_identity
),

final as (
    select
        customer_id,
        row_number() over (
            partition by customer_id
            order by source asc, record_key asc
        ) as record_no,
        source,
        match_prob,
        linked_by,
        linked_source,
        link_prob,
        match_weight,
        linked_on,
        model_fitted_on
    from bridge_identity
)

select * from final
