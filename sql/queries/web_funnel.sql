/*
question: How many sessions look, add to the cart and buy, by device?
role: analyst
grain: one row per device, last 28 days
owner: analytics
columns:
  device: Kind of device; unknown if the event does not say
  session_count: Sessions with consent
  look_count: Of these, with an article looked at
  cart_count: Of these, with something put into the cart
  purchase_count: Of these, with a purchase
  purchase_share: Purchases over sessions
*/
with sessions as (
    select
        events.session_id,
        coalesce(max(events.device), 'unknown') as device,
        bool_or(events.event_type = 'product_view') as has_look,
        bool_or(events.event_type = 'add_to_cart') as has_cart,
        bool_or(events.event_type = 'purchase') as has_purchase
    from core.fct_web_events as events
    inner join core.dim_date as today on today.is_business_date
    where
        events.has_consent
        and events.session_id is not null
        and events.occurred_on > today.date_on - 28
        and events.occurred_on <= today.date_on
    group by events.session_id
)

select
    device,
    count(*) as session_count,
    count(*) filter (where has_look) as look_count,
    count(*) filter (where has_cart) as cart_count,
    count(*) filter (where has_purchase) as purchase_count,
    cast(count(*) filter (where has_purchase) as double) / count(*) as purchase_share
from sessions
group by device
order by session_count desc, device asc
