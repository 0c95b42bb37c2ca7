/*
question: Which requests of people are open, and since when?
role: privacy
grain: one row per request that is not done
owner: privacy
columns:
  request_id: Number of the request
  request_type: erasure, access, objection or restriction
  status: How far it is
  received_on: Day it came in
  age_days: Days since then
  is_known: Whether we know the person
*/
select
    requests.request_id,
    requests.request_type,
    requests.status,
    requests.received_on,
    today.date_on - requests.received_on as age_days,
    requests.customer_id is not null as is_known
from core.privacy_requests as requests
inner join core.dim_date as today on today.is_business_date
left join ops.privacy_actions as actions
    on
        requests.source = actions.source
        and requests.request_id = actions.request_id
where requests.status <> 'done' and actions.request_id is null
order by age_days desc, requests.source asc, requests.request_id asc
