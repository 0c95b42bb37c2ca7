/*
description: >-
  Clicks and views. An event belongs to the person whom it shows itself (account, order, e-mail
  link); else to the person of its session; else to the one whose cookie it was at that moment, also
  before the first log-in. On a shared cookie only sessions count, the rest belongs to nobody but
  the household; on a public one, nothing counts. Events without consent belong to nobody, whatever
  was agreed to before or after.
grain: one row per event of a source
key: [source, event_id]
owner: data-engineering
subject_key: customer_id
partition_by: occurred_on
columns:
  source: Source of the event
  event_id: Event number
  occurred_at: Moment of the event (UTC)
  occurred_on: Store-local business date of the event
  event_type: page_view, product_view, search, add_to_cart, checkout, purchase, login or logout
  customer_id: Stable id of the person; null if unknown or without consent
  identified_by: >-
    account, order, email_click, session, cookie, or cookie_before (known only from a later event of
    the cookie); null without a person
  identity_prob: Probability that the event is the person's; null without a person
  identified_at: Moment from which the person could be known (UTC), for questions as of a date
  household_id: Household of the person, or of all people who share the cookie
  session_id: Visit to the site
  url: Address of the page
  sku: Article looked at
  search_terms: Words searched for
  order_id: Order of a purchase event
  device: desktop, mobile, tablet or app
  has_consent: Whether the visitor agreed to analytics
checks:
  - {expect: not_null, column: occurred_on}
  - expect: "true"
    name: no_person_without_consent
    where: has_consent or coalesce(customer_id, household_id) is null
  - expect: "true"
    name: every_person_is_explained
    where: (customer_id is null) = (identified_by is null or identity_prob is null)
incremental:  # a session, or an event without one
  unit: {source: source, session: "coalesce(session_id, event_id)"}
  inputs:
    staging.web_events:
      unit: {source: source, session: "coalesce(session_id, event_id)"}
      found_in:
        - {table: staging.web_events, by: {source: source, event_id: event_id}}
        - {table: core.fct_web_events, by: {source: source, event_id: event_id}}
    core.fct_web_identifications:
      unit: {source: source, session: "coalesce(session_id, event_id)"}
    core.bridge_cookie:
      found_in:
        - {table: staging.web_events, by: {cookie_id: cookie_id}}
    identity.golden_records:
      columns: [customer_id, household_id]
      found_in:
        - {table: core.fct_web_events, by: {customer_id: customer_id}}
*/
with web_events as (
    select
        * exclude (occurred_at),
        coalesce(occurred_at, cast(occurred_on as timestamp)) as occurred_at
    from staging.web_events
),

identifications as (
    select * from core.fct_web_identifications
),

bridge_cookie as (
    select * from core.bridge_cookie
),

golden_records as (
    select * from identity.golden_records
),

session_people as (
    select
        source,
        session_id,
        min(customer_id) as customer_id,
        count(distinct customer_id) as people,
        min(occurred_at) as shown_at,
        max(link_prob) as link_prob
    from identifications
    where session_id is not null
    group by source, session_id
),

logouts as (
    select distinct
        source,
        session_id
    from web_events
    where has_consent and event_type = 'logout'
),

-- Who is there changes within a session only where several people show, or somebody logs out.
changing_sessions as (
    select
        session_people.source,
        session_people.session_id
    from session_people
    left join logouts
        on
            session_people.source = logouts.source
            and session_people.session_id = logouts.session_id
    where session_people.people > 1 or logouts.session_id is not null
),

-- Who is there at each moment of such a session; an empty text: whoever it was has logged out.
moments as (
    select
        web_events.source,
        web_events.event_id,
        last_value(
            case
                when web_events.event_type = 'logout' then ''
                else identifications.customer_id
            end ignore nulls
        ) over (
            partition by web_events.source, web_events.session_id
            order by
                web_events.occurred_at asc,
                identifications.event_id is null asc,
                web_events.event_id asc
            rows between unbounded preceding and current row
        ) as present_id
    from web_events
    inner join changing_sessions
        on
            web_events.source = changing_sessions.source
            and web_events.session_id = changing_sessions.session_id
    left join identifications
        on
            web_events.source = identifications.source
            and web_events.event_id = identifications.event_id
    where web_events.has_consent
),

cookie_uses as (
    select
        cookie_id,
        min(cookie_use) as cookie_use,
        min(case when cookie_use = 'shared' then household_id end) as household_id
    from bridge_cookie
    group by cookie_id
),

seen as (
    select
        web_events.*,
        identifications.customer_id as shown_id,
        identifications.evidence,
        identifications.link_prob as shown_prob,
        cookie_uses.household_id as cookie_household_id,
        session_people.shown_at as session_shown_at,
        session_people.link_prob as session_prob,
        case
            when cookie_uses.cookie_use = 'public' then null
            when moments.present_id = '' and cookie_uses.cookie_use = 'shared' then null
            when session_people.people = 1 then session_people.customer_id
            else nullif(moments.present_id, '')
        end as session_customer_id
    from web_events
    left join identifications
        on
            web_events.source = identifications.source
            and web_events.event_id = identifications.event_id
    left join session_people
        on
            web_events.has_consent
            and web_events.source = session_people.source
            and web_events.session_id = session_people.session_id
    left join moments
        on web_events.source = moments.source and web_events.event_id = moments.event_id
    left join cookie_uses
        on web_events.has_consent and web_events.cookie_id = cookie_uses.cookie_id
),

linked as (
    select
        seen.*,
        bridge_cookie.customer_id as cookie_customer_id,
        bridge_cookie.linked_at,
        bridge_cookie.link_prob as cookie_prob,
        coalesce(
            seen.shown_id, seen.session_customer_id, bridge_cookie.customer_id
        ) as customer_id,
        case
            when seen.shown_id is not null then seen.evidence
            when seen.session_customer_id is not null then 'session'
            when seen.occurred_at < bridge_cookie.linked_at then 'cookie_before'
            when bridge_cookie.customer_id is not null then 'cookie'
        end as identified_by
    from seen
    left join bridge_cookie
        on
            seen.has_consent
            and seen.cookie_id = bridge_cookie.cookie_id
            and not bridge_cookie.is_shared
            and (bridge_cookie.valid_from is null or seen.occurred_at >= bridge_cookie.valid_from)
            and (bridge_cookie.valid_to is null or seen.occurred_at < bridge_cookie.valid_to)
),

final as (
    select
        linked.source,
        linked.event_id,
        linked.occurred_at,
        linked.occurred_on,
        linked.event_type,
        linked.customer_id,
        linked.identified_by,
        cast(round(
            case linked.identified_by
                when 'session' then linked.session_prob * {{ settings.web.session_prob }}
                when 'cookie' then linked.cookie_prob * {{ settings.web.cookie_prob }}
                when 'cookie_before'
                    then linked.cookie_prob * {{ settings.web.cookie_before_prob }}
                else linked.shown_prob
            end, 4
        ) as double) as identity_prob,
        case
            when linked.identified_by = 'session'
                then greatest(linked.occurred_at, linked.session_shown_at)
            when linked.identified_by in ('cookie', 'cookie_before')
                then greatest(linked.occurred_at, linked.linked_at)
            when linked.customer_id is not null then linked.occurred_at
        end as identified_at,
        coalesce(golden_records.household_id, linked.cookie_household_id) as household_id,
        linked.session_id,
        linked.url,
        linked.sku,
        linked.search_terms,
        linked.order_id,
        linked.device,
        coalesce(linked.has_consent, false) as has_consent
    from linked
    left join golden_records on linked.customer_id = golden_records.customer_id
)

select * from final
