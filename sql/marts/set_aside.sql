/*
description: Why records of tonight's deliveries were set aside, by rule.
grain: one row per source and rule
key: [source, rule]
owner: data-engineering
columns:
  source: Name of the source
  rule: Rule that the records broke
  record_count: Records set aside by it; a record may break several rules
*/
with summary as (
    select quarantine.*
    from ops.quarantine_summary as quarantine
    inner join ops.deliveries as deliveries on quarantine.file_id = deliveries.file_id
    where deliveries.first_loaded_on = {{ business_date }}
),

final as (
    select
        source,
        rule,
        cast(sum("rows") as bigint) as record_count
    from summary
    group by
        source,
        rule
)

select * from final
