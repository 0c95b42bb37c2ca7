/*
description: >-
  What to show a person next, first of the person's lists: the category and the article to
  discover, and the article bought again. Without a purchase they are what sells in the person's
  store.
grain: one row per person with a recommendation
key: [customer_id]
owner: analytics
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  favourite_category: Category with the most money in the last 365 days; null without purchases
  next_category: Category to propose that the person never bought
  next_category_reason: Why, in words
  next_sku: Article to propose that the person never bought
  next_product_name: Its name
  next_price_amount: Its list price
  next_reason: Why, in words
  again_sku: Article that the person bought and is likely to buy again; null without one
  again_product_name: Its name
  again_reason: Why, in words
  has_personal_next: Whether the person's own purchases chose the article
*/
with recommendations as (
    select * from features.recommendations
    where rank_no = 1
),

category_affinity as (
    select * from features.category_affinity
    where rank_no = 1
),

dim_product as (
    select * from core.dim_product
),

firsts as (
    select
        customer_id,
        max(item_id) filter (where list = 'discover' and item_kind = 'category') as next_category,
        max(reason) filter (where list = 'discover' and item_kind = 'category')
            as next_category_reason,
        max(item_id) filter (where list = 'discover' and item_kind = 'product') as next_sku,
        max(item_name) filter (where list = 'discover' and item_kind = 'product')
            as next_product_name,
        max(reason) filter (where list = 'discover' and item_kind = 'product') as next_reason,
        max(item_id) filter (where list = 'buy_again' and item_kind = 'product') as again_sku,
        max(item_name) filter (where list = 'buy_again' and item_kind = 'product')
            as again_product_name,
        max(reason) filter (where list = 'buy_again' and item_kind = 'product') as again_reason,
        bool_or(is_personal and list = 'discover' and item_kind = 'product') as has_personal_next
    from recommendations
    group by customer_id
),

final as (
    select
        firsts.customer_id,
        category_affinity.category as favourite_category,
        firsts.next_category,
        firsts.next_category_reason,
        firsts.next_sku,
        firsts.next_product_name,
        dim_product.list_price as next_price_amount,
        firsts.next_reason,
        firsts.again_sku,
        firsts.again_product_name,
        firsts.again_reason,
        firsts.has_personal_next
    from firsts
    left join category_affinity on firsts.customer_id = category_affinity.customer_id
    left join dim_product on firsts.next_sku = dim_product.sku
)

select * from final
