/*
question: Do customers who use shop and web spend more?
role: manager
grain: one row per combination of channels, last 365 days
owner: analytics
columns:
  channels: store only, web only, or both
  customer_count: Customers who bought
  net_amount: What they spent, in the store's currency
  mean_amount: Spending per customer
  visit_count: Purchase days per customer
*/
select
    case
        when web_share = 0 then 'store only'
        when store_share = 0 then 'web only'
        else 'both'
    end as channels,
    count(*) as customer_count,
    sum(net_amount_365d) as net_amount,
    cast(avg(net_amount_365d) as decimal(18, 2)) as mean_amount,
    avg(visit_count_365d) as visit_count
from features.customer_features
where visit_count_365d > 0
group by channels
order by net_amount desc, channels asc
