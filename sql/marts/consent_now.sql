/*
description: >-
  The last thing a person said about marketing on a channel; of several at the same moment the most
  restrictive. Statistics only: the consent gate decides who may be contacted.
grain: one row per person and channel with a statement
key: [customer_id, channel]
owner: privacy
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  channel: email, sms, push or post
  status: granted, withdrawn or objected
*/
with statements as (
    select *
    from core.fct_consents
    where purpose = 'marketing' and channel is not null
),

final as (
    select
        customer_id,
        channel,
        arg_max(
            status,
            (
                captured_at,
                case status when 'granted' then 0 when 'withdrawn' then 1 else 2 end
            )
        ) as status
    from statements
    group by
        customer_id,
        channel
)

select * from final
