/*
description: >-
  Every person record belongs to exactly one customer, and no customer is made of nothing. Only a
  record without name, birth date and address, whose identifier several people share, may
  belong to nobody.
reads: [identity.records, identity.customer_map]
*/
with records as (
    select
        source,
        record_key,
        is_comparable
    from identity.records
),

customer_map as (
    select
        source,
        record_key,
        count(distinct customer_id) as customer_count
    from identity.customer_map
    group by source, record_key
),

final as (
    select
        count(*) as evaluated_rows,
        count_if(
            records.source is null
            or customer_map.customer_count > 1
            or (records.is_comparable and customer_map.customer_count is null)
        ) as unexpected_rows
    from records
    full outer join customer_map
        on records.source = customer_map.source and records.record_key = customer_map.record_key
)

select * from final
