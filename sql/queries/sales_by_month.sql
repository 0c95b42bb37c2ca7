/*
question: What did each month take, also years ago?
role: manager
grain: one row per month and channel
owner: analytics
columns:
  month_on: First day of the month
  channel: store or web
  net_amount: Net revenue in the store's currency
  receipt_count: Receipts and orders with at least one bought line
*/
select
    cast(date_trunc('month', business_date) as date) as month_on,
    channel,
    sum(net_amount) as net_amount,
    sum(receipt_count) as receipt_count
from marts.sales_by_day
group by month_on, channel
order by month_on desc, channel asc
