/*
description: Which person a record of a source belongs to.
grain: one row per person record
key: [source, record_key]
owner: data-engineering
subject_key: customer_id
columns:
  source: Source of the record
  record_key: {description: Key of the record within its source, pii: identifier}
  customer_id: Stable id of the person
  match_prob: Probability of the weakest evidence that holds the record to the person; 1 if alone
checks:
  - {expect: not_null, column: customer_id}
  - {expect: between, column: match_prob, min: 0, max: 1}
*/
with customer_map as (
    select * from identity.customer_map
),

final as (
    select
        source,
        record_key,
        customer_id,
        match_prob
    from customer_map
)

select * from final
