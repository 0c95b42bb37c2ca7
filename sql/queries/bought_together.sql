/*
question: Which categories are bought on one receipt more often than chance?
role: analyst
grain: one row per pair of categories, at least 10 receipts, the 25 with the highest lift
owner: analytics
columns:
  category: First category, in name order
  other_category: Second category
  receipt_count: Receipts that hold both
  lift: Times more often than if they were independent; 1 is chance
*/
with baskets as (
    select distinct
        sales.source || ':' || sales.sale_id as receipt,
        product.category
    from core.fct_sales as sales
    inner join core.dim_product as product on sales.sku = product.sku
    where
        sales.line_kind = 'product'
        and not sales.is_return
        and product.category is not null
),

single as (
    select
        category,
        count(*) as receipt_count
    from baskets
    group by category
),

pairs as (
    select
        one.category,
        two.category as other_category,
        count(*) as receipt_count
    from baskets as one
    inner join baskets as two on one.receipt = two.receipt and one.category < two.category
    group by all
    having count(*) >= 10
)

select
    pairs.category,
    pairs.other_category,
    pairs.receipt_count,
    cast(pairs.receipt_count as double) * (select count(distinct baskets.receipt) from baskets)
    / (one.receipt_count * two.receipt_count) as lift
from pairs
inner join single as one on pairs.category = one.category
inner join single as two on pairs.other_category = two.category
order by lift desc, pairs.category asc, pairs.other_category asc
limit 25
