/*
description: >-
  Web events that show by themselves who is there: made with an account, an order placed, or the
  landing page of a link in an e-mail sent to the person. Only events with consent count. A single
  click from somebody's e-mail says nothing where another person logs in or orders: e-mails are
  forwarded.
grain: one row per event of a source
key: [source, event_id]
owner: data-engineering
subject_key: customer_id
columns:
  source: Source of the event
  event_id: Event number
  cookie_id: {description: Browser cookie, pii: cookie}
  session_id: Visit to the site
  device: desktop, mobile, tablet or app
  occurred_at: Moment of the event (UTC)
  customer_id: Stable id of the person
  evidence: account, order or email_click
  link_prob: >-
    Strength of the evidence ([tool.cdp.web]) times the probability that the record is the person's
checks:
  - {expect: not_null, column: customer_id}
  - {expect: between, column: link_prob, min: 0, max: 1}
*/
-- Few events say who is there: all else works on those that might, which are read once.
with web_events as materialized (
    select
        source,
        event_id,
        cookie_id,
        session_id,
        device,
        coalesce(occurred_at, cast(occurred_on as timestamp)) as occurred_at,
        person_source,
        person_record_key,
        order_id,
        email_click_id
    from staging.web_events
    where
        has_consent
        and (
            person_record_key is not null
            or order_id is not null
            or email_click_id is not null
        )
),

bridge_identity as (
    select * from core.bridge_identity
),

-- A number that two shops or tools use for two people shows nobody.
ordered_by as (
    select
        orders.order_id,
        min(bridge_identity.customer_id) as customer_id,
        max(bridge_identity.match_prob) as match_prob
    from staging.orders as orders
    inner join bridge_identity
        on
            orders.person_source = bridge_identity.source
            and orders.person_record_key = bridge_identity.record_key
    group by orders.order_id
    having min(bridge_identity.customer_id) = max(bridge_identity.customer_id)
),

clicked_by as (
    select
        email_events.event_id as email_click_id,
        min(bridge_identity.customer_id) as customer_id,
        max(bridge_identity.match_prob) as match_prob
    from staging.email_events as email_events
    inner join bridge_identity
        on
            email_events.person_source = bridge_identity.source
            and email_events.person_record_key = bridge_identity.record_key
    where email_events.event_type = 'click' and not coalesce(email_events.is_machine, false)
    group by email_events.event_id
    having min(bridge_identity.customer_id) = max(bridge_identity.customer_id)
),

-- Of all that an event shows, the strongest counts; each key names one person at most.
strongest as (
    select
        web_events.source,
        web_events.event_id,
        web_events.cookie_id,
        web_events.session_id,
        web_events.device,
        web_events.occurred_at,
        coalesce(
            bridge_identity.customer_id, ordered_by.customer_id, clicked_by.customer_id
        ) as customer_id,
        case
            when bridge_identity.customer_id is not null then 'account'
            when ordered_by.customer_id is not null then 'order'
            else 'email_click'
        end as evidence,
        case
            when bridge_identity.customer_id is not null
                then bridge_identity.match_prob * {{ settings.web.account_prob }}
            when ordered_by.customer_id is not null
                then ordered_by.match_prob * {{ settings.web.order_prob }}
            else clicked_by.match_prob * {{ settings.web.email_click_prob }}
        end as link_prob
    from web_events
    left join bridge_identity
        on
            web_events.person_source = bridge_identity.source
            and web_events.person_record_key = bridge_identity.record_key
    left join ordered_by on web_events.order_id = ordered_by.order_id
    left join clicked_by on web_events.email_click_id = clicked_by.email_click_id
    where
        coalesce(bridge_identity.customer_id, ordered_by.customer_id, clicked_by.customer_id)
        is not null
),

sure as (
    select
        source,
        cookie_id,
        session_id,
        customer_id
    from strongest
    where evidence <> 'email_click'
    group by all
),

sure_sessions as (
    select
        source,
        session_id,
        list(distinct customer_id) as people
    from sure
    where session_id is not null
    group by source, session_id
),

sure_cookies as (
    select
        cookie_id,
        list(distinct customer_id) as people
    from sure
    where cookie_id is not null
    group by cookie_id
),

clicks as (
    select
        cookie_id,
        customer_id,
        count(distinct session_id) as click_sessions
    from strongest
    where evidence = 'email_click' and cookie_id is not null
    group by cookie_id, customer_id
),

final as (
    select
        strongest.source,
        strongest.event_id,
        strongest.cookie_id,
        strongest.session_id,
        strongest.device,
        strongest.occurred_at,
        strongest.customer_id,
        strongest.evidence,
        cast(round(strongest.link_prob, 6) as double) as link_prob
    from strongest
    left join sure_sessions
        on
            strongest.source = sure_sessions.source
            and strongest.session_id = sure_sessions.session_id
    left join sure_cookies on strongest.cookie_id = sure_cookies.cookie_id
    left join clicks
        on
            strongest.cookie_id = clicks.cookie_id
            and strongest.customer_id = clicks.customer_id
    where
        strongest.evidence <> 'email_click'
        or (
            coalesce(list_contains(sure_sessions.people, strongest.customer_id), true)
            and (
                coalesce(list_contains(sure_cookies.people, strongest.customer_id), true)
                or clicks.click_sessions > 1
            )
        )
)

select * from final
