/*
description: >-
  Mailboxes, numbers and devices that several people state, and whose each is. A refusal by anybody
  who states an address counts for its owner too: privacy/consent.py reads it here.
grain: one row per channel, contested address and person who states it
key: [channel, customer_id, owner_id]
owner: privacy
subject_key: customer_id
columns:
  channel: email, sms or push
  customer_id: Stable id of a person who states the address
  owner_id: Stable id of the person to whom it belongs
  claim_place: Rank of the claim, 1 the best
  rule: owner, or why somebody else owns it; see identity.contact_claims
checks:
  - {expect: not_null, column: owner_id}
*/
with contact_claims as (
    select * from identity.contact_claims
),

final as (
    select
        case field when 'phone' then 'sms' when 'push_token' then 'push' else field end as channel,
        customer_id,
        owner_id,
        claim_place,
        rule
    from contact_claims
    where field in ('email', 'phone', 'push_token')
)

select * from final
