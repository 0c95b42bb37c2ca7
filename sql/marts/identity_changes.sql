/*
description: What became of customers and their records, night by night, and why.
grain: one row per night, kind of change and cause
key: [changed_on, change, cause]
owner: data-science
columns:
  changed_on: Business date of the night
  change: created, joined, returned, merged, split, moved, left or gone; see identity.changes
  cause: Strongest reason; see identity.changes
  customer_count: Customers concerned
  record_count: Records concerned
*/
with changes as (
    select * from identity.changes
),

final as (
    select
        changed_on,
        change,
        coalesce(cause, 'unknown') as cause,
        count(distinct customer_id) as customer_count,
        count(record_key) as record_count
    from changes
    group by changed_on, change, coalesce(cause, 'unknown')
)

select * from final
