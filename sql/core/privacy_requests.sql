/*
description: Requests of people about their own data, with the person they concern.
grain: one row per request of a source
key: [source, request_id]
owner: privacy
subject_key: customer_id
erasure: detach
columns:
  source: Source of the request
  request_id: Request number
  customer_id: Stable id of the person; null if no person could be found
  request_type: erasure, access, objection or restriction
  received_on: Store-local date on which the request arrived
  status: received, verified or done
checks:
  - {expect: in_set, column: request_type, values: [erasure, access, objection, restriction]}
  - {expect: not_null, column: customer_id, severity: warn}
*/
with requests as (
    select * from staging.privacy_requests
),

bridge_identity as (
    select * from core.bridge_identity
),

final as (
    select
        requests.source,
        requests.request_id,
        bridge_identity.customer_id,
        requests.request_type,
        requests.received_on,
        requests.status
    from requests
    left join bridge_identity
        on
            requests.person_source = bridge_identity.source
            and requests.person_record_key = bridge_identity.record_key
)

select * from final
