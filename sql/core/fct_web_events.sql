/*
description: >-
  Clicks and views. An event belongs to the account it was made with; else to the only person ever
  logged in with its cookie, also before the log-in; on a shared cookie, to the only person logged
  in during the same session. Events without consent belong to nobody.
grain: one row per event of a source
key: [source, event_id]
owner: data-engineering
subject_key: customer_id
columns:
  source: Source of the event
  event_id: Event number
  occurred_at: Moment of the event (UTC)
  occurred_on: Store-local business date of the event
  event_type: page_view, product_view, search, add_to_cart, checkout, purchase or login
  customer_id: Stable id of the person; null if unknown or without consent
  link_rule: account, cookie or session, by which the person was found; null without a person
  session_id: Visit to the site
  url: Address of the page
  sku: Article looked at
  search_terms: Words searched for
  order_id: Order of a purchase event
  device: desktop, mobile, tablet or app
  has_consent: Whether the visitor agreed to analytics
checks:
  - {expect: not_null, column: occurred_on}
  - {expect: "true", name: no_person_without_consent, where: has_consent or customer_id is null}
*/
with web_events as (
    select * from staging.web_events
),

bridge_identity as (
    select * from core.bridge_identity
),

bridge_cookie as (
    select * from core.bridge_cookie
),

events as (
    select
        web_events.*,
        bridge_identity.customer_id as account_customer_id
    from web_events
    left join bridge_identity
        on
            web_events.has_consent
            and web_events.person_source = bridge_identity.source
            and web_events.person_record_key = bridge_identity.record_key
),

sessions as (
    select
        source,
        session_id,
        min(account_customer_id) as customer_id
    from events
    where account_customer_id is not null and session_id is not null
    group by source, session_id
    having count(distinct account_customer_id) = 1
),

own_cookies as (
    select
        cookie_id,
        customer_id
    from bridge_cookie
    where not is_shared
),

linked as (
    select
        events.*,
        coalesce(
            events.account_customer_id, own_cookies.customer_id, sessions.customer_id
        ) as customer_id,
        case
            when events.account_customer_id is not null then 'account'
            when own_cookies.customer_id is not null then 'cookie'
            when sessions.customer_id is not null then 'session'
        end as link_rule
    from events
    left join own_cookies
        on events.has_consent and events.cookie_id = own_cookies.cookie_id
    left join sessions
        on
            events.has_consent
            and events.source = sessions.source
            and events.session_id = sessions.session_id
),

final as (
    select
        source,
        event_id,
        coalesce(occurred_at, cast(occurred_on as timestamp)) as occurred_at,
        occurred_on,
        event_type,
        customer_id,
        link_rule,
        session_id,
        url,
        sku,
        search_terms,
        order_id,
        device,
        coalesce(has_consent, false) as has_consent
    from linked
)

select * from final
