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
        count(*) as record_count
    from identity.records
    group by source
),

-- A record of nobody is in no map: records are counted by themselves, not one by one.
people_of_source as (
    select
        source,
        customer_id,
        count(*) as record_count
    from identity.customer_map
    where customer_id is not null
    group by source, customer_id
),

people as (
    select
        customer_id,
        count(*) as source_count
    from people_of_source
    group by customer_id
),

matched as (
    select
        people_of_source.source,
        count(*) as person_count,
        cast(
            coalesce(sum(people_of_source.record_count) filter (where people.source_count > 1), 0)
            as bigint
        ) as matched_count
    from people_of_source
    inner join people on people_of_source.customer_id = people.customer_id
    group by people_of_source.source
),

final as (
    select
        records.source,
        records.record_count,
        coalesce(matched.person_count, 0) as person_count,
        coalesce(matched.matched_count, 0) as matched_count,
        coalesce(matched.matched_count, 0) / records.record_count as matched_share
    from records
    left join matched on records.source = matched.source
)

select * from final
