/*
description: Why records of tonight's deliveries were set aside, by rule.
grain: one row per source and rule
key: [source, rule]
owner: data-engineering
columns:
  source: Name of the source
  rule: Rule that the records broke
  record_count: Records set aside by it; a record counts for the first rule it breaks
*/
with summary as (
    select quarantine.*
    from ops.quarantine_summary as quarantine
    where
        exists (
            select 1
            from ops.deliveries as deliveries
            where
                deliveries.file_id = quarantine.file_id
                and deliveries.file_name = quarantine.file_name
                and deliveries.source = quarantine.source
                and deliveries.first_loaded_on = {{ business_date }}
        )
),

final as (
    select
        source,
        rule,
        cast(sum(rows) as bigint) as record_count
    from summary
    group by
        source,
        rule
)

select * from final
