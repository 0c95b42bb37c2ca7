/*
question: How many of the triggers of each offer were redeemed, how fast, and what did they bring?
role: marketer
grain: one row per offer and channel
owner: crm
note: >-
  Redeemed is not caused: whether an offer made people buy is told by its holdout alone.
columns:
  offer: Name of the offer
  channel: Channel it was sent on
  sent_count: Triggers sent, one a person and date
  redeemed_count: Triggers redeemed
  redeemed_share: Redeemed over sent
  median_days: Days from sending to redeeming, half of them at most
  redeemed_amount: Paid on the receipts and orders that redeemed, for products
  first_sent_on: Business date of the first
  last_sent_on: Business date of the last
*/
select
    triggers.offer,
    triggers.channel,
    count(*) as sent_count,
    count(*) filter (where triggers.is_redeemed) as redeemed_count,
    cast(count(*) filter (where triggers.is_redeemed) as double) / count(*) as redeemed_share,
    quantile_disc(triggers.redeemed_on - triggers.sent_on, 0.5) as median_days,
    sum(triggers.redeemed_amount) as redeemed_amount,
    min(triggers.sent_on) as first_sent_on,
    max(triggers.sent_on) as last_sent_on
from core.fct_triggers as triggers
group by all
order by sent_count desc, triggers.offer asc, triggers.channel asc
