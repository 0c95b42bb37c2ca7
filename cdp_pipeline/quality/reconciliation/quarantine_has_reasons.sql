/*
description: Every row that was set aside has a rule; a row counts for the first rule it breaks.
reads: [ops.deliveries, ops.quarantine_summary]
*/
with deliveries as (
    select * from ops.deliveries
),

quarantine_summary as (
    select * from ops.quarantine_summary
),

reasons as (
    select
        file_id,
        sum(rows) as row_count
    from quarantine_summary
    group by file_id
),

final as (
    select
        count(*) as evaluated_rows,
        count_if(
            deliveries.quarantined is distinct from coalesce(reasons.row_count, 0)
        ) as unexpected_rows
    from deliveries
    left join reasons on deliveries.file_id = reasons.file_id
    where deliveries.status = 'loaded'
)

select * from final
