/*
question: How many customers were created, merged or split each night, and why?
role: steward
grain: one row per night, kind of change and cause
owner: data-science
columns:
  changed_on: Business date of the night
  change: What happened
  cause: Strongest reason
  customer_count: Customers concerned
  record_count: Records concerned
*/
select
    changed_on,
    change,
    cause,
    customer_count,
    record_count
from marts.identity_changes
order by changed_on desc, change asc, cause asc
