/*
description: Every file that was looked at tonight and what became of its records.
grain: one row per file
key: [source, business_date, file_name, file_id]
owner: data-engineering
columns:
  source: Name of the source
  business_date: Business day the delivery belongs to
  file_name: Path below the landing folder
  file_id: First digits of the content's hash
  status: "loaded, duplicate file, refused, superseded or expired"
  reason: Why it was not loaded; empty if it was
  record_count: Records in the file
  loaded_count: Records loaded
  quarantined_count: Records set aside with a reason
  duplicate_count: Records that were there already
  excluded_count: Records left out by a declared rule, or about people who were erased
*/
with deliveries as (
    select *
    from ops.deliveries
    where first_loaded_on = {{ business_date }}
),

final as (
    select
        source,
        business_date,
        file_name,
        file_id,
        replace(status, '_', ' ') as status,
        coalesce(reason, '') as reason,
        records as record_count,
        loaded as loaded_count,
        quarantined as quarantined_count,
        duplicates as duplicate_count,
        excluded + suppressed as excluded_count
    from deliveries
)

select * from final
