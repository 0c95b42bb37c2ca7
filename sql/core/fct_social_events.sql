/*
description: What people did with the store's pages on social networks.
grain: one row per event of a source
key: [source, event_id]
owner: data-engineering
subject_key: customer_id
columns:
  source: Source of the event
  event_id: Event number
  occurred_at: Moment of the event (UTC)
  occurred_on: Store-local business date of the event
  network: Social network
  event_type: follow, like, comment, mention or click
  customer_id: Stable id of the person; null if unknown
  campaign_id: Campaign the event belongs to
  sku: Article concerned
checks:
  - {expect: not_null, column: occurred_on}
*/
with social_events as (
    select * from staging.social_events
),

bridge_identity as (
    select * from core.bridge_identity
),

final as (
    select
        social_events.source,
        social_events.event_id,
        coalesce(
            social_events.occurred_at, cast(social_events.occurred_on as timestamp)
        ) as occurred_at,
        social_events.occurred_on,
        social_events.network,
        social_events.event_type,
        bridge_identity.customer_id,
        social_events.campaign_id,
        social_events.sku
    from social_events
    left join bridge_identity
        on
            social_events.person_source = bridge_identity.source
            and social_events.person_record_key = bridge_identity.record_key
)

select * from final
