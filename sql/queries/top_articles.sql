/*
question: Which articles earned most in the last 28 days?
role: analyst
grain: one row per article, the 25 with the most revenue
owner: analytics
columns:
  sku: Article number
  product_name: Name of the article
  department: Department
  unit_count: Units sold less units given back
  net_amount: Net revenue in the store's currency
  return_share: Units given back over units sold
*/
select
    sales.sku,
    product.product_name,
    product.department,
    sum(sales.quantity) as unit_count,
    sum(sales.net_amount) as net_amount,
    coalesce(-cast(sum(sales.quantity) filter (where sales.is_return) as double), 0)
    / nullif(sum(sales.quantity) filter (where not sales.is_return), 0) as return_share
from core.fct_sales as sales
inner join core.dim_product as product on sales.sku = product.sku
inner join core.dim_date as today on today.is_business_date
where
    sales.line_kind = 'product'
    and sales.sold_on > today.date_on - 28
    and sales.sold_on <= today.date_on
group by all
order by net_amount desc, sales.sku asc
limit 25
