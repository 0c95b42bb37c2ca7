/*
description: >-
  Which persons a browser cookie belongs to, known from events of a logged-in account. Only events
  with consent count.
grain: one row per cookie and person
key: [cookie_id, customer_id]
owner: data-engineering
subject_key: customer_id
columns:
  cookie_id: {description: Browser cookie, pii: cookie}
  customer_id: Stable id of the person
  linked_at: First event that showed the person behind the cookie (UTC)
  last_seen_at: Last such event (UTC)
  event_count: Events that showed it
  is_shared: Whether several persons logged in with the cookie
checks:
  - {expect: not_null, column: customer_id}
*/
with web_events as (
    select * from staging.web_events
),

bridge_identity as (
    select * from core.bridge_identity
),

logged_in as (
    select
        web_events.cookie_id,
        bridge_identity.customer_id,
        web_events.occurred_at
    from web_events
    inner join bridge_identity
        on
            web_events.person_source = bridge_identity.source
            and web_events.person_record_key = bridge_identity.record_key
    where web_events.has_consent and web_events.cookie_id is not null
),

pairs as (
    select
        cookie_id,
        customer_id,
        min(occurred_at) as linked_at,
        max(occurred_at) as last_seen_at,
        count(*) as event_count
    from logged_in
    group by cookie_id, customer_id
),

final as (
    select
        cookie_id,
        customer_id,
        linked_at,
        last_seen_at,
        event_count,
        count(*) over (partition by cookie_id) > 1 as is_shared
    from pairs
)

select * from final
