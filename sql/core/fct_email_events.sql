/*
description: >-
  What happened to e-mails. Opens by mail privacy proxies are kept and marked; nothing that measures
  interest counts them.
grain: one row per event of a source
key: [source, event_id]
owner: data-engineering
subject_key: customer_id
partition_by: occurred_on
columns:
  source: Source of the event
  event_id: Event number
  campaign_id: Campaign that sent the e-mail
  occurred_at: Moment of the event (UTC)
  occurred_on: Store-local business date of the event
  event_type: sent, open, click, bounce or unsubscribe
  customer_id: Stable id of the person; null if unknown
  identified_by: address, by which the person was found; null without a person
  identity_prob: Probability that the address is the person's; null without a person
  is_machine: Whether a proxy and no person opened
  sku: Article of a clicked link
checks:
  - {expect: not_null, column: occurred_on}
incremental:
  unit: {source: source, event_id: event_id}
  inputs:
    staging.email_events:
      unit: {source: source, event_id: event_id}
    core.bridge_identity:
      columns: [source, record_key, customer_id, match_prob]
      found_in:
        - table: staging.email_events
          by: {person_source: source, person_record_key: record_key}
        - table: core.fct_email_events
          by: {customer_id: customer_id}
          gone: [source, record_key]
*/
with email_events as (
    select * from staging.email_events
),

bridge_identity as (
    select * from core.bridge_identity
),

final as (
    select
        email_events.source,
        email_events.event_id,
        email_events.campaign_id,
        coalesce(
            email_events.occurred_at, cast(email_events.occurred_on as timestamp)
        ) as occurred_at,
        email_events.occurred_on,
        email_events.event_type,
        bridge_identity.customer_id,
        case when bridge_identity.customer_id is not null then 'address' end as identified_by,
        bridge_identity.match_prob as identity_prob,
        coalesce(email_events.is_machine, false) as is_machine,
        email_events.sku
    from email_events
    left join bridge_identity
        on
            email_events.person_source = bridge_identity.source
            and email_events.person_record_key = bridge_identity.record_key
)

select * from final
