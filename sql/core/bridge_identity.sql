/*
description: >-
  Which person a record of a source belongs to, what holds it there, how sure that is, and since
  when. The command cdp explain shows the evidence field by field.
grain: one row per person record
key: [source, record_key]
owner: data-engineering
subject_key: customer_id
columns:
  source: Source of the record
  record_key: {description: Key of the record within its source, pii: identifier}
  customer_id: Stable id of the person
  match_prob: Probability of the weakest evidence that holds the record to the person; 1 if alone
  linked_by: >-
    What proposed the strongest link to another record of the person, such as same mailbox or
    attached by loyalty_id; the same words, if both records say the same; only record; or the group
    as a whole, if no single link holds it
  linked_source: Source of the record at the other end of that link; null without one
  linked_record_key: {description: Key of that record, pii: identifier}
  link_prob: Probability of that link; null without one
  match_weight: log2 likelihood ratio of that link; null if it was not weighed
  linked_on: Business date of the night since which the record belongs to this person
  model_fitted_on: Business date of the fit of the model that scored the link
checks:
  - {expect: not_null, column: customer_id}
  - {expect: between, column: match_prob, min: 0, max: 1}
  - {expect: not_null, column: linked_by}
incremental:  # a person: resolve_customers notes all records of those with whom anything happened
  unit: {customer: customer_id}
  inputs:
    identity.customer_map:
      unit: {customer: customer_id}
    identity.changes:
      unit: {customer: customer_id}
      changes_with: identity.customer_map
    identity.edges:
      changes_with: identity.customer_map
    identity.records:
      changes_with: identity.customer_map
    identity.model_fit:
      changes_with: identity.customer_map
*/
with customer_map as (
    select * from identity.customer_map
),

edges as (
    select * from identity.edges
),

records as (
    select * from identity.records
),

changes as (
    select * from identity.changes
),

model_fit as (
    select * from identity.model_fit
),

-- Links of two records of one person.
inside as (
    select edges.*
    from edges
    inner join customer_map as own
        on edges.source_a = own.source and edges.record_key_a = own.record_key
    inner join customer_map as other
        on edges.source_b = other.source and edges.record_key_b = other.record_key
    where own.customer_id = other.customer_id
),

ends as (
    select
        source_a as own_source,
        record_key_a as own_record_key,
        source_b as other_source,
        record_key_b as other_record_key,
        match_prob,
        match_weight,
        rule as link_rule
    from inside
    union all by name
    select
        source_b as own_source,
        record_key_b as own_record_key,
        source_a as other_source,
        record_key_a as other_record_key,
        match_prob,
        match_weight,
        rule as link_rule
    from inside
),

-- The smallest in this order is the strongest; an aggregate needs no sorting of all links.
strongest_links as (
    select
        own_source,
        own_record_key,
        min({
            'improbability': -match_prob,
            'other_source': other_source,
            'other_record_key': other_record_key,
            'match_weight': match_weight,
            'link_rule': link_rule
        }) as link
    from ends
    group by own_source, own_record_key
),

links as (
    select
        own_source,
        own_record_key,
        struct_extract(link, 'other_source') as other_source,
        struct_extract(link, 'other_record_key') as other_record_key,
        -struct_extract(link, 'improbability') as match_prob,
        struct_extract(link, 'match_weight') as match_weight,
        struct_extract(link, 'link_rule') as link_rule
    from strongest_links
),

-- Records that say the same share one record's evidence and have no link of their own.
copies as (
    select
        customer_map.source,
        customer_map.record_key,
        firsts.source as other_source,
        firsts.record_key as other_record_key
    from customer_map
    inner join records
        on customer_map.source = records.source and customer_map.record_key = records.record_key
    inner join records as firsts on records.evidence_id = firsts.record_id
    where records.record_id <> records.evidence_id
),

sizes as (
    select
        customer_id,
        count(*) as record_count
    from customer_map
    group by customer_id
),

record_changes as (
    select
        source,
        record_key,
        customer_id,
        max(changed_on) as linked_on
    from changes
    where change in ('joined', 'returned', 'merged', 'split', 'moved') and source is not null
    group by source, record_key, customer_id
),

first_nights as (
    select
        customer_id,
        min(changed_on) as linked_on
    from changes
    where change = 'created'
    group by customer_id
),

final as (
    select
        customer_map.source,
        customer_map.record_key,
        customer_map.customer_id,
        customer_map.match_prob,
        case
            when copies.source is not null then 'the same words'
            when links.link_rule is not null then links.link_rule
            when sizes.record_count = 1 then 'only record'
            else 'the group as a whole'
        end as linked_by,
        coalesce(copies.other_source, links.other_source) as linked_source,
        coalesce(copies.other_record_key, links.other_record_key) as linked_record_key,
        case when copies.source is not null then 1.0 else links.match_prob end as link_prob,
        case when copies.source is null then links.match_weight end as match_weight,
        coalesce(record_changes.linked_on, first_nights.linked_on) as linked_on,
        case
            when copies.source is null and links.match_weight is not null then model_fit.fitted_on
        end as model_fitted_on
    from customer_map
    inner join sizes on customer_map.customer_id = sizes.customer_id
    left join copies
        on customer_map.source = copies.source and customer_map.record_key = copies.record_key
    left join links
        on
            customer_map.source = links.own_source
            and customer_map.record_key = links.own_record_key
    left join record_changes
        on
            customer_map.source = record_changes.source
            and customer_map.record_key = record_changes.record_key
            and customer_map.customer_id = record_changes.customer_id
    left join first_nights on customer_map.customer_id = first_nights.customer_id
    left join model_fit on true
)

select * from final
