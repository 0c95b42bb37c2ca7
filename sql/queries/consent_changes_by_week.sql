/*
question: How many people gave or took back which consent, week by week?
role: privacy
grain: one row per week, purpose, channel and status, the last 26 weeks
owner: privacy
columns:
  week_starts_on: Monday of the week
  purpose: What the consent is for
  channel: email, sms, push or post; none if the purpose has no channel
  status: What people changed to
  person_count: People
  first_time_count: Of them, those who had said nothing before
*/
select
    calendar.week_starts_on,
    changes.purpose,
    changes.channel,
    changes.status,
    count(distinct changes.customer_id) as person_count,
    count(distinct changes.customer_id) filter (where changes.previous_status is null)
        as first_time_count
from core.fct_consent_changes as changes
inner join core.dim_date as today on today.is_business_date
inner join core.dim_date as calendar
    on changes.changed_on = calendar.date_on and today.date_on - 182 < calendar.week_starts_on
group by all
order by
    calendar.week_starts_on desc, changes.purpose asc, changes.channel asc, changes.status asc
