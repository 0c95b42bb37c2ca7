/*
description: >-
  Every touch of a known person on all channels, in order. A receipt or order is one touch; machine
  opens and page views without an article are none. Triggers are those of earlier nights; one that
  was redeemed is a touch beside the sale that redeemed it, just before it.
grain: one row per touch
key: [customer_id, step_no]
owner: analytics
subject_key: customer_id
partition_by: happened_on
columns:
  customer_id: Stable id of the person
  step_no: Place of the touch in the person's journey, from 1
  happened_at: >-
    Moment of the touch (UTC); midnight if the source knows only the day. Of a trigger the end of
    its business date, as its file goes out after the store has closed
  happened_on: Store-local business date of the touch
  touch: >-
    web_look, web_cart, web_search, store_purchase, store_return, web_order, web_return, email_open,
    email_click, social, service, trigger_sent or trigger_redeemed
  channel: web, store, email, social, service, or the channel of a trigger
  sku: Article concerned; of a receipt or order, the dearest one
  store_id: Store of a receipt, or collecting store of an order
  amount: >-
    Paid for the products of a receipt or order; negative on returns. Null on trigger_redeemed,
    whose money is that of the sale beside it
  reference: Receipt, order, event or contact; of a trigger its offer
  campaign_id: Campaign of an e-mail or social touch; of a trigger its offer
  identified_by: How a web or e-mail touch was joined to the person; null for other touches
  identity_prob: Probability that a web or e-mail touch is the person's; null for other touches
checks:
  - {expect: not_null, column: happened_at}
incremental:  # a person
  unit: {customer: customer_id}
  inputs:
    core.fct_sales:
      where: customer_id is not null and line_kind = 'product'
      unit: {customer: customer_id}
    core.fct_web_events:
      columns:
        - source
        - event_id
        - occurred_at
        - occurred_on
        - event_type
        - customer_id
        - identified_by
        - identity_prob
        - sku
      where: customer_id is not null and event_type in ('product_view', 'add_to_cart', 'search')
      unit: {customer: customer_id}
    core.fct_email_events:
      where: customer_id is not null and not is_machine and event_type in ('open', 'click')
      unit: {customer: customer_id}
    core.fct_social_events:
      unit: {customer: customer_id}
    core.fct_service_contacts:
      unit: {customer: customer_id}
    core.fct_triggers:
      unit: {customer: customer_id}
*/
with fct_sales as (
    select * from core.fct_sales
    where customer_id is not null and line_kind = 'product'
),

fct_web_events as (
    select * from core.fct_web_events
    where customer_id is not null
),

fct_email_events as (
    select * from core.fct_email_events
    where customer_id is not null and not is_machine
),

fct_social_events as (
    select * from core.fct_social_events
    where customer_id is not null
),

fct_service_contacts as (
    select * from core.fct_service_contacts
    where customer_id is not null
),

fct_triggers as (
    select * from core.fct_triggers
),

sale_touches as (
    select
        customer_id,
        min(sold_at) as happened_at,
        sold_on as happened_on,
        case
            when channel = 'web' and is_return then 'web_return'
            when channel = 'web' then 'web_order'
            when is_return then 'store_return'
            else 'store_purchase'
        end as touch,
        channel,
        max({ 'amount': abs(net_amount), 'sku': sku }).sku as sku,
        min(store_id) as store_id,
        cast(sum(net_amount) as decimal(18, 2)) as amount,
        sale_id as reference,
        source as origin
    from fct_sales
    group by customer_id, sold_on, channel, is_return, sale_id, source
),

web_touches as (
    select
        customer_id,
        occurred_at as happened_at,
        occurred_on as happened_on,
        case event_type
            when 'product_view' then 'web_look'
            when 'add_to_cart' then 'web_cart'
            else 'web_search'
        end as touch,
        'web' as channel,
        sku,
        event_id as reference,
        source as origin,
        identified_by,
        identity_prob
    from fct_web_events
    where event_type in ('product_view', 'add_to_cart', 'search')
),

email_touches as (
    select
        customer_id,
        occurred_at as happened_at,
        occurred_on as happened_on,
        case event_type when 'open' then 'email_open' else 'email_click' end as touch,
        'email' as channel,
        sku,
        event_id as reference,
        campaign_id,
        source as origin,
        identified_by,
        identity_prob
    from fct_email_events
    where event_type in ('open', 'click')
),

other_touches as (
    select
        customer_id,
        occurred_at as happened_at,
        occurred_on as happened_on,
        'social' as touch,
        'social' as channel,
        sku,
        event_id as reference,
        campaign_id,
        source as origin
    from fct_social_events
    union all by name
    select
        customer_id,
        opened_at as happened_at,
        opened_on as happened_on,
        'service' as touch,
        'service' as channel,
        contact_id as reference,
        source as origin
    from fct_service_contacts
    union all by name
    select
        customer_id,
        cast(sent_on + 1 as timestamp) as happened_at,  -- files go out after the store has closed
        sent_on as happened_on,
        'trigger_sent' as touch,
        channel,
        offer as reference,
        offer as campaign_id,
        coalesce(reference, offer) as origin
    from fct_triggers
    union all by name
    select
        customer_id,
        redeemed_at as happened_at,
        redeemed_on as happened_on,
        'trigger_redeemed' as touch,
        redeemed_channel as channel,
        redeemed_store_id as store_id,
        offer as reference,
        offer as campaign_id,
        coalesce(reference, offer) as origin
    from fct_triggers
    where is_redeemed
),

touches as (
    select * from sale_touches
    union all by name
    select * from web_touches
    union all by name
    select * from email_touches
    union all by name
    select * from other_touches
),

final as (
    select
        customer_id,
        row_number() over (
            partition by customer_id
            order by
                happened_at asc,
                (touch = 'trigger_redeemed') desc,
                touch asc,
                origin asc,
                reference asc,
                channel asc
        ) as step_no,
        happened_at,
        happened_on,
        touch,
        channel,
        sku,
        store_id,
        amount,
        reference,
        campaign_id,
        identified_by,
        identity_prob
    from touches
)

select * from final
