/*
description: Requests of people for erasure, access or objection, and how long the open ones wait.
grain: one row per kind of request
key: [request_type]
owner: privacy
columns:
  request_type: erasure, access or objection
  request_count: Requests received
  open_count: Requests that are not done
  oldest_open_days: Days since the oldest open request; null when none is open
*/
with requests as (
    select * from core.privacy_requests
),

final as (
    select
        request_type,
        count(*) as request_count,
        count(*) filter (where status is distinct from 'done') as open_count,
        {{ business_date }} - (min(received_on) filter (where status is distinct from 'done'))
            as oldest_open_days
    from requests
    group by request_type
)

select * from final
