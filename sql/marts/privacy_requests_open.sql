/*
description: >-
  Requests of people for erasure, access, objection or restriction, and how long the open ones wait.
  What tonight's requests ask for is done once the night is published.
grain: one row per kind of request
key: [request_type]
owner: privacy
columns:
  request_type: erasure, access, objection or restriction
  request_count: Requests received
  open_count: Requests that nobody has done, here or at the sender
  unknown_count: Open requests whose person could not be found
  unverified_count: Open requests that wait for proof of who asks
  oldest_open_days: Days since the oldest open request; null when none is open
  days_left: Days until the oldest open request must be done; null when none is open
  overdue_count: Open requests past their deadline
*/
with requests as (
    select
        requests.request_type,
        requests.customer_id,
        requests.status,
        {{ business_date }} - requests.received_on as age_days,
        (actions.request_id is null and coalesce(requests.status, '') <> 'done') as is_open
    from core.privacy_requests as requests
    left join ops.privacy_actions as actions
        on
            requests.source = actions.source
            and requests.request_id = actions.request_id
),

final as (
    select
        request_type,
        count(*) as request_count,
        count_if(is_open) as open_count,
        count_if(is_open and customer_id is null) as unknown_count,
        count_if(is_open and status = 'received') as unverified_count,
        max(age_days) filter (where is_open) as oldest_open_days,
        {{ settings.privacy.answer_days }} - (max(age_days) filter (where is_open)) as days_left,
        count_if(is_open and age_days > {{ settings.privacy.answer_days }}) as overdue_count
    from requests
    group by request_type
)

select * from final
