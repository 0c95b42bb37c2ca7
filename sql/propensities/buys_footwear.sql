/*
title: Buys footwear in the next 30 days
event: footwear bought
owner: footwear-marketing
horizon_days: 30
columns:
  customer_id: Stable id of the person
  happened_on: Store-local date on which footwear was bought
*/
select
    sales.customer_id,
    sales.sold_on as happened_on
from core.fct_sales as sales
inner join core.dim_product as products on sales.sku = products.sku
where
    products.department = 'Footwear'
    and sales.line_kind = 'product'
    and not sales.is_return
