/*
question: Who agreed to what, by purpose and channel, as it stands now?
role: privacy
grain: one row per purpose, channel and newest statement
owner: privacy
note: >-
  Statements of several people who share an address are weighed by the gate, not here.
columns:
  purpose: Purpose
  channel: Channel; all of them if the statement names none
  status: Newest statement
  customer_count: People who made it
  newest_at: Moment of the newest such statement (UTC)
*/
with newest as (
    select
        customer_id,
        purpose,
        coalesce(channel, 'all') as channel,
        max_by(status, (captured_at, statement_id)) as status,
        max(captured_at) as captured_at
    from core.fct_consents
    group by all
)

select
    purpose,
    channel,
    status,
    count(*) as customer_count,
    max(captured_at) as newest_at
from newest
group by all
order by purpose asc, channel asc, status asc
