/*
question: How many of those who first bought in a month come back?
role: analyst
grain: one row per month of first purchase and month after it
owner: analytics
columns:
  cohort_on: First day of the month of the first purchase
  months_after: Months since then, from 1
  customer_count: Customers who began in that month
  repeat_share: Share of them who bought in that later month
*/
select
    cohort_on,
    months_after,
    customer_count,
    repeat_share
from marts.cohort_retention
order by cohort_on desc, months_after asc
