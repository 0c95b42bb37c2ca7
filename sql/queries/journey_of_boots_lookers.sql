/*
question: What did those do who looked at winter boots and did not buy?
role: marketer
grain: one row per touch of such a customer, newest 500
owner: analytics
columns:
  customer_id: Stable id of the person
  step_no: Place of the touch in the person's journey
  happened_at: Moment of the touch (UTC)
  touch: What happened
  channel: Where
  sku: Article concerned
  amount: Paid, in the store's currency; null if nothing was bought
*/
select
    journey.customer_id,
    journey.step_no,
    journey.happened_at,
    journey.touch,
    journey.channel,
    journey.sku,
    journey.amount
from core.fct_journey as journey
inner join features.customer_features as features on journey.customer_id = features.customer_id
where
    features.looked_winter_boots_on is not null
    and not features.has_bought_winter_boots_since_look
    and journey.happened_on >= features.looked_winter_boots_on
order by journey.happened_at desc, journey.customer_id asc, journey.step_no asc
limit 500
