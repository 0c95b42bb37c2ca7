/*
description: >-
  Newest statement of consent per person, purpose and channel, for reading and counting. Whether a
  person may be contacted is decided by the consent gate alone.
grain: one row per person, purpose and channel
key: [customer_id, purpose, channel]
owner: privacy
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  purpose: What the consent is for
  channel: email, sms, push or post; any if the purpose has no channel
  status: granted, withdrawn or objected; of statements of one moment the most restrictive
  captured_at: Moment of the statement (UTC)
  is_granted: Whether the newest statement grants it
incremental:  # a person
  unit: {customer: customer_id}
  inputs:
    core.fct_consents:
      unit: {customer: customer_id}
      turns: {business_date(captured_at): [0]}
*/
with fct_consents as (
    select * from core.fct_consents
    where business_date(captured_at) <= {{ business_date }}
),

newest as (
    select
        customer_id,
        purpose,
        coalesce(channel, 'any') as channel,
        max({
            'at': captured_at,
            'strictness': case status when 'granted' then 0 when 'withdrawn' then 1 else 2 end,
            'status': status
        }) as latest
    from fct_consents
    group by customer_id, purpose, coalesce(channel, 'any')
),

final as (
    select
        newest.customer_id,
        newest.purpose,
        newest.channel,
        newest.latest.status,
        newest.latest.at as captured_at,
        newest.latest.status = 'granted' as is_granted
    from newest
)

select * from final
