/*
question: Which rules set rows aside, in which files?
role: engineer
grain: one row per source and rule
owner: data-engineering
columns:
  source: Name of the source
  rule: Rule that the rows broke
  file_count: Files with such rows
  row_count: Rows set aside
  newest_file: Path of the newest of these files
*/
select
    summary.source,
    summary.rule,
    count(*) as file_count,
    sum(summary.rows) as row_count,  -- noqa: RF04
    max_by(summary.file_name, (deliveries.business_date, summary.file_name)) as newest_file
from ops.quarantine_summary as summary
inner join ops.deliveries as deliveries on summary.file_id = deliveries.file_id
group by all
order by row_count desc, summary.source asc, summary.rule asc
