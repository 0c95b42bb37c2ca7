/*
description: >-
  What sells: articles and categories by the number of receipts and orders that held them in the
  90 days up to the end of last week, store by store and over all; of articles those in stock, of
  categories those with one in stock. Shown to people of whom nothing else is known.
grain: one row per store, level and rank, twenty ranks at most; store "all" is the whole house
key: [store_id, item_kind, rank_no]
owner: analytics
columns:
  store_id: Store that sold, or all for tills and web together
  item_kind: product or category
  rank_no: 1 for what most receipts held; ties go to the lower name
  item_id: Article number, or category
  item_name: Name of the article, or the category again
  receipt_count: Receipts and orders that held it
checks:
  - {expect: in_set, column: item_kind, values: [product, category]}
  - {expect: between, column: rank_no, min: 1, max: 20}
*/
with sales as (
    select * from core.fct_sales
    where line_kind = 'product' and not is_return and sold_on <= {{ business_date }}
),

-- Counted week by week, so that what strangers are shown does not change every night. Where nothing
-- was sold till then, as in the first week of a store, this week counts at once.
last_week as (
    select cast(date_trunc('week', {{ business_date }}) as date) - 1 as ended_on
),

counted as (
    select
        case
            when bool_or(is_recent(sales.sold_on, last_week.ended_on, 90))
                then any_value(last_week.ended_on)
            else {{ business_date }}
        end as ended_on
    from sales
    cross join last_week
),

fct_sales as (
    select sales.*
    from sales
    cross join counted
    where is_recent(sales.sold_on, counted.ended_on, 90)
),

dim_product as (
    select
        *,
        coalesce(is_active and is_in_stock, false) as is_offered
    from core.dim_product
),

-- All its articles count for a category, or it would move with every change of stock.
offered_categories as (
    select distinct category from dim_product
    where is_offered
),

lines as (
    select
        fct_sales.store_id,
        fct_sales.source || ':' || fct_sales.sale_id as receipt,
        dim_product.sku,
        dim_product.product_name,
        dim_product.category,
        dim_product.is_offered
    from fct_sales
    inner join dim_product on fct_sales.sku = dim_product.sku
),

items as (
    select
        store_id,
        receipt,
        'product' as item_kind,
        sku as item_id,
        product_name as item_name
    from lines
    where is_offered
    union all
    select
        lines.store_id,
        lines.receipt,
        'category' as item_kind,
        lines.category as item_id,
        lines.category as item_name
    from lines
    inner join offered_categories on lines.category = offered_categories.category
),

everywhere as (
    select
        store_id,
        receipt,
        item_kind,
        item_id,
        item_name
    from items
    where store_id is not null
    union all
    select
        'all' as store_id,
        receipt,
        item_kind,
        item_id,
        item_name
    from items
),

counts as (
    select
        store_id,
        item_kind,
        item_id,
        min(item_name) as item_name,
        count(distinct receipt) as receipt_count
    from everywhere
    group by store_id, item_kind, item_id
),

final as (
    select
        store_id,
        item_kind,
        cast(
            row_number() over (
                partition by store_id, item_kind
                order by receipt_count desc, item_id asc
            ) as integer
        ) as rank_no,
        item_id,
        item_name,
        receipt_count
    from counts
    qualify rank_no <= 20
)

select * from final
