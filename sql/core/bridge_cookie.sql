/*
description: >-
  Which persons a browser cookie belongs to and from when to when. A cookie that one person shows is
  hers; one that passes on for good is handed over; one that people take turns with is shared, and
  says nothing outside their sessions; one with more people than [tool.cdp.web] allows is public, as
  a kiosk or a bot, and says nothing at all. Where second visits with a kind of device, as tablets,
  often show somebody else, families share such devices: there a cookie is shared as well, unless
  four visits or more showed one person and nobody else. Records of one name count as one person.
grain: one row per cookie and person
key: [cookie_id, customer_id]
owner: data-engineering
subject_key: customer_id
columns:
  cookie_id: {description: Browser cookie, pii: cookie}
  customer_id: Stable id of the person
  cookie_use: own, handed_over, shared or public
  valid_from: Start of the person's time with the cookie (UTC); null from its first event on
  valid_to: End of that time, exclusive (UTC); null until further notice
  linked_at: First event that showed the person behind the cookie, so what was known when (UTC)
  last_seen_at: Last such event (UTC)
  event_count: Events that showed it
  session_count: Sessions that showed it
  evidence: "Kinds of evidence, in alphabetical order, as account, order"
  link_prob: Probability of the best evidence
  person_count: Persons of the cookie
  household_id: Household of all its persons; null if they are of several
  is_shared: Whether the cookie says nothing outside sessions (shared or public)
checks:
  - {expect: not_null, column: customer_id}
  - {expect: in_set, column: cookie_use, values: [own, handed_over, shared, public]}
*/
with identifications as (
    select * from core.fct_web_identifications
    where cookie_id is not null
),

golden_records as (
    select
        customer_id,
        lower(given_name) || ' ' || lower(family_name) as full_name,
        household_id
    from identity.golden_records
),

people as (
    select
        identifications.cookie_id,
        identifications.customer_id,
        coalesce(golden_records.full_name, identifications.customer_id) as full_name,
        count(*) as events,
        max(identifications.occurred_at) as last_at
    from identifications
    left join golden_records on identifications.customer_id = golden_records.customer_id
    group by all
),

holders as (
    select
        cookie_id,
        customer_id,
        first_value(customer_id) over (
            partition by cookie_id, full_name
            order by events desc, last_at desc, customer_id asc
        ) as holder_id
    from people
),

-- Most cookies have one holder from first to last: only the events of the others are put in
-- order, and only there does it matter when a session began.
passed_on as (
    select cookie_id
    from holders
    group by cookie_id
    having min(holder_id) <> max(holder_id)
),

session_starts as (
    select
        web_events.source,
        web_events.session_id,
        web_events.cookie_id,
        min(
            coalesce(web_events.occurred_at, cast(web_events.occurred_on as timestamp))
        ) as started_at
    from staging.web_events as web_events
    semi join passed_on on web_events.cookie_id = passed_on.cookie_id
    where web_events.has_consent
    group by web_events.source, web_events.session_id, web_events.cookie_id
),

held as (
    select
        identifications.cookie_id,
        holders.holder_id,
        identifications.source,
        identifications.event_id,
        identifications.session_id,
        identifications.device,
        identifications.occurred_at,
        identifications.evidence,
        identifications.link_prob,
        coalesce(session_starts.started_at, identifications.occurred_at) as session_started_at
    from identifications
    inner join holders
        on
            identifications.cookie_id = holders.cookie_id
            and identifications.customer_id = holders.customer_id
    left join session_starts
        on
            identifications.source = session_starts.source
            and identifications.session_id = session_starts.session_id
            and identifications.cookie_id = session_starts.cookie_id
),

changes as (
    select
        held.*,
        coalesce(
            held.holder_id <> lag(held.holder_id) over (
                partition by held.cookie_id
                order by held.occurred_at asc, held.source asc, held.event_id asc
            ), true
        ) as is_change
    from held
    semi join passed_on on held.cookie_id = passed_on.cookie_id
),

turns as (
    select
        * exclude (is_change),
        sum(cast(is_change as integer)) over (
            partition by cookie_id
            order by occurred_at asc, source asc, event_id asc
            rows between unbounded preceding and current row
        ) as turn_no
    from changes
    union all by name
    select
        held.*,
        1 as turn_no
    from held
    anti join passed_on on held.cookie_id = passed_on.cookie_id
),

runs as (
    select
        cookie_id,
        turn_no,
        min(holder_id) as holder_id,
        min(occurred_at) as first_at,
        max(occurred_at) as last_at,
        min(session_started_at) as started_at,
        count(distinct cast(occurred_at as date)) as day_count
    from turns
    group by cookie_id, turn_no
),

followed as (
    select
        *,
        lag(last_at) over (partition by cookie_id order by turn_no) as previous_last_at
    from runs
),

-- Two accounts on one evening are a family at one tablet, not a device that changed hands.
settled as (
    select
        *,
        greatest(started_at, previous_last_at) as taken_over_at,
        previous_last_at is null
        or first_at >= previous_last_at + to_days({{ settings.web.handover_quiet_days }})
        or (day_count > 1 and cast(first_at as date) > cast(previous_last_at as date))
            as is_settled
    from followed
),

devices as (
    select
        cookie_id,
        coalesce(min(device), '') as device,
        count(distinct coalesce(session_id, event_id)) as visits
    from held
    group by cookie_id
),

visits as (
    select
        held.cookie_id,
        coalesce(held.session_id, held.event_id) as visit_id,
        min(held.occurred_at) as shown_at,
        arg_min(held.holder_id, (held.occurred_at, held.source, held.event_id)) as holder_id
    from held
    semi join passed_on on held.cookie_id = passed_on.cookie_id
    group by held.cookie_id, coalesce(held.session_id, held.event_id)
),

second_visits as (
    select
        cookie_id,
        holder_id <> lag(holder_id) over (
            partition by cookie_id order by shown_at asc, visit_id asc
        ) as is_other
    from visits
    qualify row_number() over (partition by cookie_id order by shown_at asc, visit_id asc) = 2
),

-- Each cookie counts once, whoever uses it much. A few say nothing of their kind.
family_devices as (
    select devices.device
    from devices
    left join second_visits on devices.cookie_id = second_visits.cookie_id
    where devices.visits > 1
    group by devices.device
    having
        count(*) >= 20
        and avg(cast(coalesce(second_visits.is_other, false) as integer))
        >= {{ settings.web.family_device_share }}
),

-- One of two who shows four times in a row is alone with the device, seven times in eight.
family_cookies as (
    select devices.cookie_id
    from devices
    semi join family_devices on devices.device = family_devices.device
    left join passed_on on devices.cookie_id = passed_on.cookie_id
    where devices.visits < 4 or passed_on.cookie_id is not null
),

cookies as (
    select
        settled.cookie_id,
        count(distinct settled.holder_id) as person_count,
        case
            when count(distinct settled.holder_id) > {{ settings.web.maximum_cookie_people }}
                then 'public'
            when count(family_cookies.cookie_id) > 0 then 'shared'
            when count(distinct settled.holder_id) = 1 then 'own'
            when
                count(*) = count(distinct settled.holder_id) and bool_and(settled.is_settled)
                then 'handed_over'
            else 'shared'
        end as cookie_use
    from settled
    left join family_cookies on settled.cookie_id = family_cookies.cookie_id
    group by settled.cookie_id
),

possessions as (
    select
        cookie_id,
        holder_id,
        turn_no,
        case when turn_no > 1 then taken_over_at end as valid_from,
        lead(taken_over_at) over (partition by cookie_id order by turn_no) as valid_to
    from settled
    qualify row_number() over (partition by cookie_id, holder_id order by turn_no) = 1
),

homes as (
    select
        people.cookie_id,
        min(golden_records.household_id) as household_id
    from people
    left join golden_records on people.customer_id = golden_records.customer_id
    group by people.cookie_id
    having
        min(golden_records.household_id) = max(golden_records.household_id)
        and count(golden_records.household_id) = count(*)
),

shown as (
    select
        cookie_id,
        holder_id,
        min(occurred_at) as linked_at,
        max(occurred_at) as last_seen_at,
        count(*) as event_count,
        count(distinct session_id) as session_count,
        array_to_string(list_sort(list(distinct evidence)), ', ') as evidence,
        max(link_prob) as link_prob
    from held
    group by cookie_id, holder_id
),

final as (
    select
        shown.cookie_id,
        shown.holder_id as customer_id,
        cookies.cookie_use,
        case when cookies.cookie_use = 'handed_over' then possessions.valid_from end as valid_from,
        case when cookies.cookie_use = 'handed_over' then possessions.valid_to end as valid_to,
        shown.linked_at,
        shown.last_seen_at,
        shown.event_count,
        shown.session_count,
        shown.evidence,
        shown.link_prob,
        cookies.person_count,
        homes.household_id,
        cookies.cookie_use in ('shared', 'public') as is_shared
    from shown
    inner join cookies on shown.cookie_id = cookies.cookie_id
    inner join possessions
        on shown.cookie_id = possessions.cookie_id and shown.holder_id = possessions.holder_id
    left join homes on shown.cookie_id = homes.cookie_id
)

select * from final
