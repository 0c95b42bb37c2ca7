/*
description: >-
  How a person deals with the store between purchases: web, e-mail, social networks, service.
  Machine opens never count.
grain: one row per person with at least one such event up to the business date
key: [customer_id]
owner: analytics
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  last_web_on: Store-local date of the last web event
  web_session_count_30d: Visits to the site in the last 30 days
  product_look_count_30d: Product pages seen in the last 30 days
  cart_count_30d: Articles put into the cart in the last 30 days
  search_count_30d: Searches in the last 30 days
  main_device: Device of most web events in the last 90 days
  last_email_open_on: Store-local date of the last open by a person
  last_email_click_on: Store-local date of the last click
  email_sent_count_90d: E-mails sent in the last 90 days
  email_open_count_30d: Opens by a person in the last 30 days
  email_open_count_90d: Opens by a person in the last 90 days
  email_click_count_90d: Clicks in the last 90 days
  email_bounce_count_90d: Bounces in the last 90 days
  has_unsubscribed: Whether an unsubscribe was ever received; consent says what is permitted
  last_social_on: Store-local date of the last event on a social network
  social_event_count_90d: Events on social networks in the last 90 days
  last_service_on: Store-local date of the last service contact
  service_contact_count_90d: Service contacts in the last 90 days
  complaint_count_90d: Complaints among them
incremental:  # a person
  unit: {customer: customer_id}
  inputs:
    core.fct_web_events:
      columns:
        - source
        - event_id
        - occurred_at
        - occurred_on
        - event_type
        - customer_id
        - session_id
        - device
      where: customer_id is not null
      unit: {customer: customer_id}
      turns: {occurred_on: [0, 30, 90]}
    core.fct_email_events:
      columns: [source, event_id, occurred_on, event_type, customer_id, is_machine]
      where: customer_id is not null
      unit: {customer: customer_id}
      turns: {occurred_on: [0, 30, 90]}
    core.fct_social_events:
      where: customer_id is not null
      unit: {customer: customer_id}
      turns: {occurred_on: [0, 90]}
    core.fct_service_contacts:
      where: customer_id is not null
      unit: {customer: customer_id}
      turns: {opened_on: [0, 90]}
*/
with fct_web_events as (
    select
        *,
        is_recent(occurred_on, {{ business_date }}, 30) as is_30d,
        is_recent(occurred_on, {{ business_date }}, 90) as is_90d
    from core.fct_web_events
    where customer_id is not null and occurred_on <= {{ business_date }}
),

fct_email_events as (
    select
        *,
        is_recent(occurred_on, {{ business_date }}, 30) as is_30d,
        is_recent(occurred_on, {{ business_date }}, 90) as is_90d,
        event_type = 'open' and not is_machine as is_human_open
    from core.fct_email_events
    where customer_id is not null and occurred_on <= {{ business_date }}
),

fct_social_events as (
    select * from core.fct_social_events
    where customer_id is not null and occurred_on <= {{ business_date }}
),

fct_service_contacts as (
    select
        *,
        is_recent(opened_on, {{ business_date }}, 90) as is_90d
    from core.fct_service_contacts
    where customer_id is not null and opened_on <= {{ business_date }}
),

web as (
    select
        customer_id,
        max(occurred_on) as last_web_on,
        count(distinct session_id) filter (where is_30d) as web_session_count_30d,
        count(*) filter (where is_30d and event_type = 'product_view') as product_look_count_30d,
        count(*) filter (where is_30d and event_type = 'add_to_cart') as cart_count_30d,
        count(*) filter (where is_30d and event_type = 'search') as search_count_30d
    from fct_web_events
    group by customer_id
),

devices as (
    select
        customer_id,
        device
    from fct_web_events
    where is_90d and device is not null
    group by customer_id, device
    qualify
        row_number() over (
            partition by customer_id
            order by count(*) desc, max(occurred_at) desc, device asc
        ) = 1
),

email as (
    select
        customer_id,
        max(occurred_on) filter (where is_human_open) as last_email_open_on,
        max(occurred_on) filter (where event_type = 'click') as last_email_click_on,
        count(*) filter (where is_90d and event_type = 'sent') as email_sent_count_90d,
        count(*) filter (where is_30d and is_human_open) as email_open_count_30d,
        count(*) filter (where is_90d and is_human_open) as email_open_count_90d,
        count(*) filter (where is_90d and event_type = 'click') as email_click_count_90d,
        count(*) filter (where is_90d and event_type = 'bounce') as email_bounce_count_90d,
        bool_or(coalesce(event_type = 'unsubscribe', false)) as has_unsubscribed
    from fct_email_events
    group by customer_id
),

social as (
    select
        customer_id,
        max(occurred_on) as last_social_on,
        count(*) filter (where is_recent(occurred_on, {{ business_date }}, 90))
            as social_event_count_90d
    from fct_social_events
    group by customer_id
),

service as (
    select
        customer_id,
        max(opened_on) as last_service_on,
        count(*) filter (where is_90d) as service_contact_count_90d,
        count(*) filter (where is_90d and topic = 'complaint') as complaint_count_90d
    from fct_service_contacts
    group by customer_id
),

people as (
    select customer_id from web
    union
    select customer_id from email
    union
    select customer_id from social
    union
    select customer_id from service
),

final as (
    select
        people.customer_id,
        web.last_web_on,
        coalesce(web.web_session_count_30d, 0) as web_session_count_30d,
        coalesce(web.product_look_count_30d, 0) as product_look_count_30d,
        coalesce(web.cart_count_30d, 0) as cart_count_30d,
        coalesce(web.search_count_30d, 0) as search_count_30d,
        devices.device as main_device,
        email.last_email_open_on,
        email.last_email_click_on,
        coalesce(email.email_sent_count_90d, 0) as email_sent_count_90d,
        coalesce(email.email_open_count_30d, 0) as email_open_count_30d,
        coalesce(email.email_open_count_90d, 0) as email_open_count_90d,
        coalesce(email.email_click_count_90d, 0) as email_click_count_90d,
        coalesce(email.email_bounce_count_90d, 0) as email_bounce_count_90d,
        coalesce(email.has_unsubscribed, false) as has_unsubscribed,
        social.last_social_on,
        coalesce(social.social_event_count_90d, 0) as social_event_count_90d,
        service.last_service_on,
        coalesce(service.service_contact_count_90d, 0) as service_contact_count_90d,
        coalesce(service.complaint_count_90d, 0) as complaint_count_90d
    from people
    left join web on people.customer_id = web.customer_id
    left join devices on people.customer_id = devices.customer_id
    left join email on people.customer_id = email.customer_id
    left join social on people.customer_id = social.customer_id
    left join service on people.customer_id = service.customer_id
)

select * from final
