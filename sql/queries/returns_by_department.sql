/*
question: What comes back, and in which departments?
role: analyst
grain: one row per department, last 365 days
owner: analytics
columns:
  department: Department
  sold_amount: Bought, in the store's currency
  returned_amount: Given back, as a positive amount
  return_share: Given back over bought
*/
select
    product.department,
    sum(sales.net_amount) filter (where not sales.is_return) as sold_amount,
    coalesce(-sum(sales.net_amount) filter (where sales.is_return), 0) as returned_amount,
    coalesce(-cast(sum(sales.net_amount) filter (where sales.is_return) as double), 0)
    / nullif(sum(sales.net_amount) filter (where not sales.is_return), 0) as return_share
from core.fct_sales as sales
inner join core.dim_product as product on sales.sku = product.sku
inner join core.dim_date as today on today.is_business_date
where
    sales.line_kind = 'product'
    and sales.sold_on > today.date_on - 365
    and sales.sold_on <= today.date_on
group by product.department
order by return_share desc nulls last, product.department asc
