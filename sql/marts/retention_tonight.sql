/*
description: How long rows are kept, and what went tonight because its time was over.
grain: one row per table and source with a period
key: [kept, kind]
owner: privacy
columns:
  kept: Table with its schema, or source
  kind: table or source
  kept_days: Days that a row or delivery is kept
  kept_from: Oldest day that may be kept tonight
  oldest_on: Oldest day that is there; null if nothing is
  removed_count: Rows that went tonight
  kept_count: Rows that are kept
*/
with retention as (
    select * from ops.retention
),

final as (
    select
        name as kept,
        kind,
        days as kept_days,
        kept_from,
        oldest_on,
        rows_removed as removed_count,
        rows_left as kept_count
    from retention
)

select * from final
