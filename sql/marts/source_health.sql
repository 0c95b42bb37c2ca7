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
  status: >-
    fresh; late: older than four of five of its deliveries ever were when the next one came (a week,
    while there are fewer than three); refused: a file of tonight was refused
  file_count: Files taken in tonight
  record_count: Records in them
  loaded_count: Records loaded
  quarantined_count: Records set aside with a reason; all of a refused file
  duplicate_count: Records that were there already
  excluded_count: Records left out by a declared rule, or about people who were erased
checks:
  - expect: "true"
    name: records_conserved
    where: record_count = loaded_count + quarantined_count + duplicate_count + excluded_count
*/
with deliveries as (
    select * from ops.deliveries
),

-- a source is late when it is older than it usually lets us wait
loads as (
    select distinct
        source,
        business_date
    from deliveries
    where status in ('loaded', 'superseded', 'expired')
),

gaps as (
    select
        source,
        business_date,
        business_date - lag(business_date) over (
            partition by source
            order by business_date
        ) as gap_days
    from loads
),

newest as (
    select
        source,
        max(business_date) as last_delivered_on,
        case when count(gap_days) >= 2 then quantile_disc(gap_days, 0.8) else 7 end as usual_days
    from gaps
    group by source
),

sources as (
    select distinct source
    from deliveries
),

tonight as (
    select
        source,
        count(*) as file_count,
        cast(sum(records) as bigint) as record_count,
        cast(sum(loaded) as bigint) as loaded_count,
        cast(sum(quarantined) as bigint) as quarantined_count,
        cast(sum(duplicates) as bigint) as duplicate_count,
        cast(sum(excluded + suppressed) as bigint) as excluded_count,
        bool_or(status = 'refused') as is_refused
    from deliveries
    where first_loaded_on = {{ business_date }}
    group by source
),

final as (
    select
        sources.source,
        newest.last_delivered_on,
        {{ business_date }} - newest.last_delivered_on as age_days,
        case
            when coalesce(tonight.is_refused, false) then 'refused'
            when {{ business_date }} - newest.last_delivered_on <= newest.usual_days - 1
                then 'fresh'
            else 'late'
        end as status,
        coalesce(tonight.file_count, 0) as file_count,
        coalesce(tonight.record_count, 0) as record_count,
        coalesce(tonight.loaded_count, 0) as loaded_count,
        coalesce(tonight.quarantined_count, 0) as quarantined_count,
        coalesce(tonight.duplicate_count, 0) as duplicate_count,
        coalesce(tonight.excluded_count, 0) as excluded_count
    from sources
    left join newest on sources.source = newest.source
    left join tonight on sources.source = tonight.source
)

select * from final
