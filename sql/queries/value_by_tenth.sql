/*
question: How much of the forecast value do the best customers hold?
role: analyst
grain: one row per tenth of customers, 10 the most valuable
owner: analytics
columns:
  clv_tenth: Tenth by expected spending, 10 the highest
  customer_count: Customers in it
  clv_12m_amount: Expected spending in 12 months, in the store's currency
  value_share: Share of all expected spending
*/
select
    clv_tenth,
    count(*) as customer_count,
    sum(clv_12m_amount) as clv_12m_amount,
    cast(sum(clv_12m_amount) as double)
    / nullif(sum(sum(clv_12m_amount)) over (), 0) as value_share
from features.customer_features
where clv_tenth is not null
group by clv_tenth
order by clv_tenth desc
