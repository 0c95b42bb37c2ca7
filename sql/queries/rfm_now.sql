/*
question: How many customers are in each RFM group, and what are they worth?
role: marketer
grain: one row per RFM group
owner: analytics
columns:
  rfm_segment: Name of the group
  customer_count: Customers who bought in the window
  net_amount: What they spent in 365 days, in the store's currency
  revenue_share: Share of the spending of all groups
  clv_12m_amount: What they are expected to spend in 12 months; null without forecasts
*/
select
    rfm_segment,
    count(*) as customer_count,
    sum(net_amount_365d) as net_amount,
    cast(sum(net_amount_365d) as double)
    / nullif(sum(sum(net_amount_365d)) over (), 0) as revenue_share,
    sum(clv_12m_amount) as clv_12m_amount
from features.customer_features
where rfm_segment is not null
group by rfm_segment
order by net_amount desc, rfm_segment asc
