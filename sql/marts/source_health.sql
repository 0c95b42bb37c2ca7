/*
description: >-
  What arrived tonight from each source, where every record went, and how fresh the source is.
  records = loaded + quarantined + duplicates + excluded.
grain: one row per source that ever delivered
key: [source]
owner: data-engineering
columns:
  source: Name of the source
  last_delivered_on: Business date of the newest loaded delivery
  age_days: Days between it and the business date
  status: "fresh: covers the business date; late: older; refused: tonight's delivery was refused"
  file_count: Files taken in tonight
  record_count: Records in them
  loaded_count: Records loaded
  quarantined_count: Records set aside with a reason
  duplicate_count: Records that were there already
  excluded_count: Records left out by a declared rule
checks:
  - expect: "true"
    name: records_conserved
    where: record_count = loaded_count + quarantined_count + duplicate_count + excluded_count
*/
with deliveries as (
    select * from ops.deliveries
),

newest as (
    select
        source,
        max(business_date) filter (where status in ('loaded', 'superseded')) as last_delivered_on
    from deliveries
    group by source
),

tonight as (
    select
        source,
        count(*) as file_count,
        cast(sum(records) filter (where status <> 'refused') as bigint) as record_count,
        cast(sum(loaded) filter (where status <> 'refused') as bigint) as loaded_count,
        cast(sum(quarantined) filter (where status <> 'refused') as bigint) as quarantined_count,
        cast(sum(duplicates) filter (where status <> 'refused') as bigint) as duplicate_count,
        cast(sum(excluded) filter (where status <> 'refused') as bigint) as excluded_count,
        bool_or(status = 'refused') as is_refused
    from deliveries
    where first_loaded_on = {{ business_date }}
    group by source
),

final as (
    select
        newest.source,
        newest.last_delivered_on,
        {{ business_date }} - newest.last_delivered_on as age_days,
        case
            when coalesce(tonight.is_refused, false) then 'refused'
            when newest.last_delivered_on >= {{ business_date }} then 'fresh'
            else 'late'
        end as status,
        coalesce(tonight.file_count, 0) as file_count,
        coalesce(tonight.record_count, 0) as record_count,
        coalesce(tonight.loaded_count, 0) as loaded_count,
        coalesce(tonight.quarantined_count, 0) as quarantined_count,
        coalesce(tonight.duplicate_count, 0) as duplicate_count,
        coalesce(tonight.excluded_count, 0) as excluded_count
    from newest
    left join tonight on newest.source = tonight.source
)

select * from final
