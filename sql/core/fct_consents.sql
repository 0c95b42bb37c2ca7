/*
description: >-
  Every statement of consent by a known person. What it permits today is decided by the consent gate
  alone.
grain: one row per statement of a source
key: [source, statement_id]
owner: privacy
subject_key: customer_id
columns:
  source: Source of the statement
  statement_id: Hash of the statement
  customer_id: Stable id of the person
  purpose: What the consent is for
  channel: email, sms, push or post; null if the purpose has no channel
  status: granted, withdrawn or objected
  captured_at: Moment the person stated it (UTC)
checks:
  - {expect: not_null, column: purpose}
  - {expect: in_set, column: status, values: [granted, withdrawn, objected]}
  - {expect: in_set, column: channel, values: [email, sms, push, post], severity: warn}
*/
with consents as (
    select * from staging.consents
),

bridge_identity as (
    select * from core.bridge_identity
),

final as (
    select
        consents.source,
        consents.statement_id,
        bridge_identity.customer_id,
        consents.purpose,
        consents.channel,
        consents.status,
        coalesce(consents.captured_at, cast(consents.delivered_on as timestamp)) as captured_at
    from consents
    inner join bridge_identity
        on
            consents.person_source = bridge_identity.source
            and consents.person_record_key = bridge_identity.record_key
)

select * from final
