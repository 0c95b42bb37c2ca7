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

totals as (
    select
        {{ business_date }} as business_date,
        (select count(*) from records) as record_count,
        (select count(*) from people) as person_count,
        (select count(*) from records) - (select count(*) from customer_map) as unresolved_count,
        (select count(distinct source) from records) as source_count,
        (select count(*) from people where source_count > 1) as several_source_person_count,
        (select count(distinct previous_customer_id) from changes where change = 'merged')
            as merged_tonight_count,
        (select count(distinct customer_id) from changes where change = 'split')
            as split_tonight_count,
        (select count(*) from identity.review) as review_pair_count
),

final as (
    select *
    from totals
    where record_count > 0
)

select * from final
