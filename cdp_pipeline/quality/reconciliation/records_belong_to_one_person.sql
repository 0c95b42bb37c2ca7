/*
description: Every person record belongs to one customer; no customer is made of nothing.
reads: [identity.records, identity.customer_map]
*/
with records as (
    select
        source,
        record_key
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
            records.source is null or customer_map.customer_count is distinct from 1
        ) as unexpected_rows
    from records
    full outer join customer_map
        on records.source = customer_map.source and records.record_key = customer_map.record_key
)

select * from final
