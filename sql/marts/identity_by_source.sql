/*
description: How many of each source's person records belong to people known elsewhere too.
grain: one row per source with person records
key: [source]
owner: identity
# most people are known from several sources
sums: []
columns:
  source: Name of the source
  record_count: Person records
  person_count: People they belong to
  matched_count: Records whose person is also known from another source
  matched_share: matched_count over record_count
*/
with records as (
    select
        source,
        record_key
    from identity.records
),

customer_map as (
    select * from identity.customer_map
),

people as (
    select
        customer_id,
        count(distinct source) as source_count
    from customer_map
    group by customer_id
),

final as (
    select
        records.source,
        count(*) as record_count,
        count(distinct people.customer_id) as person_count,
        count(*) filter (where people.source_count > 1) as matched_count,
        count(*) filter (where people.source_count > 1) / count(*) as matched_share
    from records
    left join customer_map
        on records.source = customer_map.source and records.record_key = customer_map.record_key
    left join people on customer_map.customer_id = people.customer_id
    group by records.source
)

select * from final
