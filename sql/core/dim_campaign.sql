/*
description: >-
  Campaigns that anything came of: mailings, posts on social networks, and the offers that triggers
  carried on earlier nights. Sources name a campaign by its number only.
grain: one row per campaign and kind
key: [campaign_kind, campaign_id]
owner: crm
columns:
  campaign_kind: mailing, social or trigger
  campaign_id: Number of the campaign; of triggers, the name of the offer
  channel: email or social; of triggers the channel of the offer
  first_on: Store-local date of its first event
  last_on: Store-local date of its last event
  day_count: Days with any event
  person_count: Known people it reached or moved
  event_count: Events of all kinds; of triggers, those sent
checks:
  - {expect: in_set, column: campaign_kind, values: [mailing, social, trigger]}
*/
with fct_email_events as (
    select * from core.fct_email_events
    where campaign_id is not null
),

fct_social_events as (
    select * from core.fct_social_events
    where campaign_id is not null
),

fct_triggers as (
    select * from core.fct_triggers
),

events as (
    select
        'mailing' as campaign_kind,
        campaign_id,
        'email' as channel,
        occurred_on as happened_on,
        customer_id
    from fct_email_events
    union all by name
    select
        'social' as campaign_kind,
        campaign_id,
        'social' as channel,
        occurred_on as happened_on,
        customer_id
    from fct_social_events
    union all by name
    select
        'trigger' as campaign_kind,
        offer as campaign_id,
        channel,
        sent_on as happened_on,
        customer_id
    from fct_triggers
),

final as (
    select
        campaign_kind,
        campaign_id,
        -- An offer whose channel was changed keeps its newest.
        max({ 'happened_on': happened_on, 'channel': channel }).channel as channel,
        min(happened_on) as first_on,
        max(happened_on) as last_on,
        count(distinct happened_on) as day_count,
        count(distinct customer_id) as person_count,
        count(*) as event_count
    from events
    group by campaign_kind, campaign_id
)

select * from final
