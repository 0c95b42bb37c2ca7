/*
question: Who of the most valuable tenth is about to leave?
role: marketer
grain: one row per customer, at most 100
owner: analytics
note: >-
  Has_…_consent informs; whether somebody may be contacted is decided on export.
columns:
  customer_id: Stable id of the person
  clv_12m_amount: Expected spending in 12 months, in the store's currency
  p_active_90d: Chance of a purchase within 90 days
  recency_days: Days since the last purchase
  usual_gap_days: Days that usually lie between two purchases
  favourite_department: Department bought most
  has_email_consent: Whether marketing by e-mail was agreed to
*/
select
    customer_id,
    clv_12m_amount,
    p_active_90d,
    recency_days,
    usual_gap_days,
    favourite_department,
    has_email_consent
from features.customer_features
where
    clv_tenth = 10
    and recency_days > 2 * usual_gap_days
order by clv_12m_amount desc, customer_id asc
limit 100
