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
    found.source,
    found.rule,
    count(*) as file_count,
    sum(found.rows) as row_count,
    max_by(found.file_name, (deliveries.business_date, found.file_name)) as newest_file
from ops.quarantine_summary as found
inner join ops.deliveries as deliveries on found.file_id = deliveries.file_id
group by all
order by row_count desc, found.source asc, found.rule asc
