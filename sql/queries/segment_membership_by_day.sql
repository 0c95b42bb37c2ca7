/*
question: Who was in which segment on each of the last 90 days?
role: analyst
grain: one row per segment, customer and date
owner: crm
note: >-
  A day without a night is like the last night before it. Older days: the same join without the
  condition on dates.
columns:
  segment: Name of the segment
  customer_id: Stable id of the person
  date_on: The date
  day_no: Days in the segment so far, from 1
  is_holdout: Whether the person was kept back for measuring
*/
select
    spells.segment,
    spells.customer_id,
    calendar.date_on,
    calendar.date_on - spells.entered_on + 1 as day_no,
    spells.is_holdout
from segments.membership_history as spells
inner join core.dim_date as today on today.is_business_date
inner join core.dim_date as calendar
    on
        spells.entered_on <= calendar.date_on
        and coalesce(spells.left_on, today.date_on + 1) > calendar.date_on
        and today.date_on - 90 < calendar.date_on
        and today.date_on >= calendar.date_on
order by spells.segment asc, spells.customer_id asc, calendar.date_on asc
