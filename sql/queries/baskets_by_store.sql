/*
question: How do the stores differ in receipts, basket and known customers?
role: manager
grain: one row per store that sold in the last 28 days
owner: analytics
columns:
  store_id: Number of the store
  store_name: Name of the store
  receipt_count: Receipts with at least one bought line
  net_amount: Net revenue in the store's currency
  basket_amount: Net revenue over receipts
  known_share: Share of revenue that is tied to a person
*/
select
    sales.store_id,
    store.store_name,
    count(distinct sales.sale_id) filter (where not sales.is_return) as receipt_count,
    sum(sales.net_amount) as net_amount,
    cast(
        sum(sales.net_amount)
        / nullif(count(distinct sales.sale_id) filter (where not sales.is_return), 0)
        as decimal(18, 2)
    ) as basket_amount,
    cast(sum(sales.net_amount) filter (where sales.customer_id is not null) as double)
    / nullif(sum(sales.net_amount), 0) as known_share
from core.fct_sales as sales
inner join core.dim_store as store on sales.store_id = store.store_id
inner join core.dim_date as today on today.is_business_date
where
    sales.channel = 'store'
    and sales.line_kind <> 'gift_card'
    and sales.sold_on > today.date_on - 28
    and sales.sold_on <= today.date_on
group by all
order by net_amount desc, sales.store_id asc
