/*
question: Who came into which segment last night, and who left?
role: marketer
grain: one row per segment and kind of change on the business date
owner: crm
columns:
  segment: Name of the segment
  change: What happened
  customer_count: People
*/
select
    changes.segment,
    changes.change,
    count(*) as customer_count
from segments.changes as changes
inner join core.dim_date as today on today.is_business_date and changes.changed_on = today.date_on
group by all
order by changes.segment asc, changes.change asc
