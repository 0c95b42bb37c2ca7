/*
description: From person records to people, in one row.
grain: one row per night
key: [business_date]
owner: identity
columns:
  business_date: Night's business date
  record_count: Person records of all sources
  person_count: People they were resolved to
  unresolved_count: Records that say too little to belong to anybody
  source_count: Sources that delivered person records
  several_source_person_count: People known from more than one source
  merged_tonight_count: Customer ids that were merged into another tonight
  split_tonight_count: Customer ids that were split off another tonight
  review_pair_count: Pairs too close to call, waiting for a person
*/
with records as (
    select source from identity.records
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

changes as (
    select *
    from identity.changes
    where changed_on = {{ business_date }}
),

record_totals as (
    select
        count(*) as record_count,
        count(distinct source) as source_count
    from records
),

map_totals as (
    select count(*) as mapped_count
    from customer_map
),

person_totals as (
    select
        count(*) as person_count,
        count(*) filter (where source_count > 1) as several_source_person_count
    from people
),

change_totals as (
    select
        count(distinct previous_customer_id) filter (where change = 'merged')
            as merged_tonight_count,
        count(distinct customer_id) filter (where change = 'split') as split_tonight_count
    from changes
),

review_totals as (
    select count(*) as review_pair_count
    from identity.review
),

final as (
    select
        {{ business_date }} as business_date,
        record_totals.record_count,
        person_totals.person_count,
        record_totals.record_count - map_totals.mapped_count as unresolved_count,
        record_totals.source_count,
        person_totals.several_source_person_count,
        change_totals.merged_tonight_count,
        change_totals.split_tonight_count,
        review_totals.review_pair_count
    from record_totals
    cross join map_totals
    cross join person_totals
    cross join change_totals
    cross join review_totals
    where record_totals.record_count > 0
)

select * from final
