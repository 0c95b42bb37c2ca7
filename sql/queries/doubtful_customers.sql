/*
question: Which customers hang together by one weak link?
role: steward
grain: one row per customer, the 50 weakest
owner: data-science
columns:
  customer_id: Stable id of the person
  record_count: Records it is made of
  weakest_link_prob: Probability of the link without which it falls apart
  bridge_count: Links whose loss would split it
  family_name_count: Different family names in it
  birth_date_count: Different birth dates in it
*/
select
    customer_id,
    record_count,
    weakest_link_prob,
    bridge_count,
    family_name_count,
    birth_date_count
from marts.doubtful_customers
where weakest_link_prob is not null
order by weakest_link_prob asc, customer_id asc
limit 50
